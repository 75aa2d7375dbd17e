import { createRequire } from 'node:module';
import { join } from 'node:path';

/** A workflow as n8n keeps it. */
export type WorkflowData = {
  id: string;
  name: string;
  nodes: { name: string; type: string; parameters: Record<string, unknown> }[];
  settings?: Record<string, unknown>;
};

type Workflow = Omit<WorkflowData, 'nodes'> & { nodes: Record<string, WorkflowData['nodes'][number]> };
type HookFile = Record<string, Record<string, ((...args: unknown[]) => Promise<void>)[]>>;
type NodeClass = new () => {
  execute(this: object): Promise<{ json: { status: number; body: unknown } }[][]>;
};

/** An execution that has begun: run its nodes, then end it. */
export type Execution = {
  id: string;
  /** What n8n writes to its database of it. */
  snapshot(): string;
  /** Runs the first node of this name; gives what it puts out. */
  runNode(name: string): Promise<{ status: number; body: unknown }>;
  end(status: string, more?: object): Promise<void>;
};

/** What n8n does with hooks and with nodes of one's own, as far as these can tell (n8n 2.41: external-hooks, workflow-pre-execute, workflow-runner). */
export type N8nDriver = {
  start(data: WorkflowData, mode?: string): Promise<Execution>;
  /** Takes an execution up from what was kept of it, as a worker does, and n8n after a wait: without preExecute. */
  resume(data: WorkflowData, id?: string): Execution;
};

const ROOT = join(import.meta.dirname, '..', 'packages', 'n8n');

let executions = 0;

/** Loads the hooks and the node, in a process of n8n of its own: nothing is shared with another one but Mayfly. */
export function loadN8n(): N8nDriver {
  const require = createRequire(import.meta.url);
  for (const file of Object.keys(require.cache)) if (file.startsWith(ROOT)) delete require.cache[file];
  const hooks = require(join(ROOT, 'hooks.cjs')) as HookFile;
  const { mayfly: Node } = require(join(ROOT, 'nodes', 'mayfly.node.js')) as { mayfly: NodeClass };
  const run = async (resource: string, operation: string, parameters: unknown[]) => {
    for (const hook of hooks[resource]?.[operation] ?? [])
      await hook.apply({ dbCollections: {} }, parameters);
  };
  const executionOf = (workflow: Workflow, data: WorkflowData, id = `${++executions}`): Execution => {
    // Its row in the database is made as it begins: what executions after it do to a shared object is not in it.
    const snapshot = JSON.stringify(data);
    return {
      id,
      snapshot: () => snapshot,
      async runNode(name) {
        const node = workflow.nodes[name];
        if (!node) throw new Error(`no node ${name}`);
        const getNodeParameter = (parameter: string, _item: number, fallback?: unknown) =>
          node.parameters[parameter] ?? fallback;
        const getInputData = () => [{ json: {} }];
        const context = { workflow, getInputData, getNodeParameter, getExecutionId: () => id };
        const [items] = await new Node().execute.call(context);
        return items?.[0]?.json ?? { status: 0, body: undefined };
      },
      end: (status, more = {}) =>
        run('workflow', 'postExecute', [{ status, finished: status === 'success', ...more }, data, id, {}]),
    };
  };
  return {
    async start(data, mode = 'trigger') {
      const workflow = workflowOf(data);
      await run('workflow', 'preExecute', [workflow, mode, {}, undefined]);
      // What hooks changed is written back, and only then does the execution get an id.
      data.settings = workflow.settings ?? {};
      return executionOf(workflow, data);
    },
    resume: (data, id) => executionOf(workflowOf(data), data, id),
  };
}

/** n8n's `Workflow` takes over the settings that it is given, and an empty object where there are none. */
function workflowOf({ id, name, nodes, settings }: WorkflowData): Workflow {
  const byName = Object.fromEntries(nodes.map((node) => [node.name, node]));
  return { id, name, nodes: byName, settings: settings ?? {} };
}
