import { userInfo } from 'node:os';
import { expect, test } from 'vitest';
import { userName } from './operator-request.ts';

test('who has no entry in passwd, as in a container with a uid of its own, is named by the uid', () => {
  const nobody = () => {
    throw Object.assign(new Error('uv_os_get_passwd returned ENOENT'), { code: 'ERR_SYSTEM_ERROR' });
  };

  expect(userName(nobody)).toBe(`uid-${process.getuid?.()}`);
  expect(userName()).toBe(userInfo().username);
});
