import type { Cloud } from './clouds.ts';
import { CommandError } from './exit-codes.ts';
import type { Grant } from './grant.ts';
import type { Issuer } from './issuer.ts';
import { readClaims } from './jwt-claims.ts';
import type { KeptToken } from './keep-fresh.ts';

/** A token of a step: in a file of its name, and in a variable too where the build or an option named one. */
export type StepToken = KeptToken & { isVariable: boolean };

/** The name of the file that a cloud's SDK reads. */
export function cloudFile({ name }: Cloud): string {
  return `${name}.token`;
}

type Wanted = {
  grant: Grant;
  idTokens: Record<string, string>;
  clouds: Cloud[];
  issuer: Issuer;
  now: number;
};

/** Gives every token that a step gets: those of the grant, if they still live, and the rest from the issuer. An option wins over the grant. */
export async function stepTokens({ grant, idTokens, clouds, issuer, now }: Wanted): Promise<StepToken[]> {
  const left = Object.entries(grant.tokens).filter(([name]) => !Object.hasOwn(idTokens, name));
  const granted = left.map(async ([name, token]): Promise<StepToken> => {
    const claims = readClaims(token);
    if (!claims)
      throw new CommandError(
        'configuration',
        `the token ${name} of the grant cannot be read: ask for it again`,
      );
    const { audiences, expiresAt } = claims;
    const isLive = expiresAt * 1000 > now;
    return {
      name,
      audiences,
      isVariable: true,
      token: isLive ? token : (await issuer.issue({ audiences })).token,
    };
  });
  const asked = [
    ...Object.entries(idTokens).map(([name, audience]) => ({ name, audience, isVariable: true })),
    ...clouds.flatMap((cloud) =>
      cloud.audience === undefined
        ? []
        : [{ ...held(cloud), name: cloudFile(cloud), audience: cloud.audience, isVariable: false }],
    ),
  ].map(async ({ audience, ...rest }): Promise<StepToken> => {
    const audiences = [audience];
    return { ...rest, audiences, token: (await issuer.issue({ audiences })).token };
  });
  return await Promise.all([...granted, ...asked]);
}

function held({ heldSeconds }: Cloud): Pick<KeptToken, 'heldSeconds'> {
  return heldSeconds === undefined ? {} : { heldSeconds };
}
