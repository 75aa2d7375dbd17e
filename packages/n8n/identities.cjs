const KNOWN_AT_MOST = 10_000;

/**
 * Which of our ids is of which execution of n8n. When an execution begins it has no number yet; its node, once it runs,
 * says both. One whose node never ran had no token, and is told from others of its workflow by number only: once as many
 * of them are over as there are, all are.
 */
function identitiesOf(knownAtMost = KNOWN_AT_MOST) {
  /** Our ids that no node has asked for yet, and of which workflow they are. @type {Map<string, string>} */
  const unclaimed = new Map();
  /** @type {Map<string, string>} */
  const idsByExecution = new Map();
  /** @type {Map<string, string>} */
  const executionsById = new Map();
  /** How many executions of a workflow are over that nobody claimed an id for. @type {Map<string, number>} */
  const endedUnclaimed = new Map();

  /** @param {string} workflow */
  const settle = (workflow) => {
    const ids = [...unclaimed].flatMap(([id, of]) => (of === workflow ? [id] : []));
    if ((endedUnclaimed.get(workflow) ?? 0) < ids.length) return [];
    endedUnclaimed.delete(workflow);
    for (const id of ids) unclaimed.delete(id);
    return ids;
  };
  return {
    /**
     * @param {string} id
     * @param {string} workflow
     */
    begun(id, workflow) {
      unclaimed.set(id, workflow);
      const [, of] = forgetOldest(unclaimed, knownAtMost) ?? [];
      // Whether that one is over is not known: taken for one that is, no other is thought over too early.
      const ended = of === undefined ? undefined : endedUnclaimed.get(of);
      if (of !== undefined && ended !== undefined) endedUnclaimed.set(of, Math.max(0, ended - 1));
    },

    /**
     * Says whose an id is, the first time for good; gives false where it is another execution's, and else which ids are known
     * to be over by that.
     * @param {string} id
     * @param {string} execution
     * @returns {string[] | false}
     */
    claim(id, execution) {
      const owner = executionsById.get(id);
      if (owner !== undefined) return owner === execution ? [] : false;
      executionsById.set(id, execution);
      idsByExecution.set(execution, id);
      forgetOldest(executionsById, knownAtMost);
      forgetOldest(idsByExecution, knownAtMost);
      const workflow = unclaimed.get(id);
      unclaimed.delete(id);
      return workflow !== undefined && endedUnclaimed.has(workflow) ? settle(workflow) : [];
    },

    /**
     * Gives the ids that are known to be over now that an execution is; `marked` is the one that its workflow object has.
     * @param {string} execution
     * @param {string} workflow
     * @param {string | undefined} marked
     * @returns {string[]}
     */
    ended(execution, workflow, marked) {
      const own = idsByExecution.get(execution);
      if (own !== undefined) return [own];
      const isBegunHere = [...unclaimed.values()].includes(workflow);
      // Begun by another process of n8n, which kept the mark with the execution.
      if (marked !== undefined && !unclaimed.has(marked) && !executionsById.has(marked)) return [marked];
      if (!isBegunHere) return [];
      endedUnclaimed.set(workflow, (endedUnclaimed.get(workflow) ?? 0) + 1);
      return settle(workflow);
    },
  };
}

/**
 * What n8n never told the end of would stay for ever: Mayfly itself ends it at its deadline. Gives what it forgot.
 * @param {Map<string, string>} map
 * @param {number} most
 */
function forgetOldest(map, most) {
  if (map.size <= most) return undefined;
  const [oldest] = map;
  if (oldest) map.delete(oldest[0]);
  return oldest;
}

module.exports = { identitiesOf };
