import { availableParallelism } from "node:os";

import { defineConfig } from "vitest/config";

/**
 * Real sockets, processes and clocks, on whatever machine a CI has: there a test may fail once, and
 * is told as retried. Elsewhere each failure counts.
 */
const retry = process.env["CI"] === undefined ? 0 : 1;

// Forks, not threads: tests of files and sockets need umask, chdir and signals, which Node refuses in a worker.
// `isolate: false` (one process for many files, a tenth of the time) where a file leaves nothing behind in its
// process: not in security, which plays with the environment and signals, nor in e2e.
// One worker more than two cores have: most tests that take long wait for the clocks of what they test.
// Limits are for what hangs, and not for what is slow: a machine that is busy with ten other things takes ten times as long.
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: Math.min(8, Math.max(3, availableParallelism())),
    reporters: ["default", "./tools/vitest/closing-line.ts"],
    // A project without a test file fails the run: see tools/vitest/closing-line.ts.
    passWithNoTests: false,
    // The linter finds a focused test; this one finds it in a run that nobody linted.
    allowOnly: false,
    restoreMocks: true,
    // What is waited for comes within milliseconds, or, on a machine that starts ten programs at once, seconds later.
    expect: { poll: { timeout: 15_000 } },
    coverage: { provider: "v8", include: ["src/**"], exclude: ["src/main.ts"] },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "test/*.test.ts", "test/cluster/fleet/*.test.ts"],
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "flow",
          retry,
          include: ["test/flow/**/*.test.ts"],
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "security",
          retry,
          include: ["test/security/**/*.test.ts"],
          // Property tests make 10,000 and more runs each.
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "simulation",
          include: ["test/simulation/**/*.test.ts"],
          // A deliberate fault may need some thousands of seeds to be found.
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "network",
          retry,
          include: ["test/network/**/*.test.ts"],
          testTimeout: 90_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "cluster",
          // Built programs over real servers, while the simulation computes beside them.
          retry: 2 * retry,
          include: ["test/cluster/*.test.ts"],
          // The built program; and the servers, which the first run builds.
          globalSetup: ["./tools/vitest/build-once.ts", "./test/cluster/build-once.ts"],
          testTimeout: 120_000,
          hookTimeout: 40 * 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          retry,
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["./tools/vitest/build-once.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
