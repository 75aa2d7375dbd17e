import { afterAll } from 'vitest';
import { endLeftSystems } from './left-systems.ts';

// What a test left behind would take the machine from those that come after it.
afterAll(endLeftSystems, 60_000);
