import { defineConfig } from 'vitest/config';
import { NO_TELEMETRY } from './src/process/telemetry.ts';

// Of this process, so that those which it starts have it from their first moment on.
Object.assign(process.env, NO_TELEMETRY);

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/host/**'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // A busy machine takes seconds where an idle one takes none; what never comes still fails.
    expect: { poll: { timeout: 15_000 } },
  },
});
