import { expect, test } from 'vitest';
import { eventually, given, runMayfly, script, startMayfly } from './run-in-test.ts';
import { startStandInIssuer } from './stand-in-issuer.ts';

test('tokens and named secrets are masked in output and errors, and a prompt is shown at once', async () => {
  await using issuer = await startStandInIssuer();
  const env = { ...given(issuer), DB_PASSWORD: 'correct horse battery staple' };
  const code = `
    process.stderr.write(Buffer.from(process.env.VAULT).toString('base64') + '\\n')
    process.stdout.write(process.env.DB_PASSWORD + ' ' + process.env.MAYFLY_ID_TOKEN_REQUEST_TOKEN + ' ' + process.env.VAULT.slice(0, 40))
    process.stdout.write(process.env.VAULT.slice(40) + '\\nName? ')
    process.stdin.on('data', () => process.exit())`;
  const args = ['exec', '--id-token', 'VAULT=v', '--mask', 'DB_PASSWORD', ...script(code)];
  const { child, output, ended } = startMayfly(args, { env });

  await eventually(() => output.stdout.endsWith('Name? '));
  child.stdin.end('x');

  expect(await ended).toMatchObject({ stdout: '*** *** ***\nName? ' });
  expect(output.stderr).toMatch(/^\*\*\*=*\n$/);
});

test.each([
  ['spaced out', "process.env.VAULT.split('').join(' ')"],
  ['compressed with gzip', "require('zlib').gzipSync(process.env.VAULT).toString('base64')"],
  [
    'base64 three times or more',
    '[1, 2, 3].reduce((text) => Buffer.from(text).toString("base64"), process.env.VAULT)',
  ],
  [
    'a hex dump',
    "require('child_process').execSync('od -A x -t x1', { input: process.env.VAULT }).toString()",
  ],
])(
  'a token that stands in the output %s is reported within a second, while the step runs',
  async (form, expression) => {
    await using issuer = await startStandInIssuer();
    const { child, output, ended } = startMayfly(
      ['exec', '--id-token', 'VAULT=v', ...script(`console.log(${expression}); setInterval(() => {}, 1000)`)],
      { env: given(issuer) },
    );
    await eventually(() => output.stdout.length > 0);
    const shown = Date.now();
    await eventually(() => issuer.leaks.length > 0);

    // The margin is for a machine that does other things too; the step itself never ends.
    expect(Date.now() - shown).toBeLessThan(1_000 + 2_000);
    child.kill('SIGTERM');
    await ended;
    expect(issuer.leaks).toEqual([`found in the output, ${form}`]);
    expect(output.stderr).toContain(form);
  },
);

test('a leak that cannot be reported is exit code 6, whatever the command says', async () => {
  await using issuer = await startStandInIssuer();
  const code =
    "process.stdin.on('end', () => console.log(process.env.VAULT.split('').join(' '))).resume(); console.log('ready')";
  const { child, output, ended } = startMayfly(
    ['exec', '--timeout', '0', '--id-token', 'VAULT=v', ...script(code)],
    { env: given(issuer) },
  );
  await eventually(() => output.stdout.includes('ready'));

  issuer.state.refusesNext = Number.POSITIVE_INFINITY;
  child.stdin.end();

  expect((await ended).code).toBe(6);
  expect(output.stderr).toContain('the leak could not be reported');
  expect(issuer.leaks).toEqual([]);
});

test('ordinary output, compressed and encoded, is no leak', async () => {
  await using issuer = await startStandInIssuer();
  const code = `
    const text = 'some ordinary text. '.repeat(500)
    console.log(text.split('').join(' '), require('zlib').gzipSync(text).toString('base64'), [1,2,3].reduce((t) => Buffer.from(t).toString('base64'), text))`;

  const { code: exit, stderr } = await runMayfly(['exec', '--id-token', 'V=v', ...script(code)], {
    env: given(issuer),
  });

  expect({ exit, stderr, leaks: issuer.leaks }).toEqual({ exit: 0, stderr: '', leaks: [] });
});
