import type { TestError } from "vitest";
import type { Reporter, TestModule, Vitest } from "vitest/node";

/** What the last line tells. */
export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** `12 passed, 1 failed, 2 skipped`; the skipped are left out where there are none. */
function formatCount({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/**
 * Counts tests, and beside them everything else that makes a run fail, so that the line never says
 * `0 failed` when the exit code says otherwise: a file that did not load or holds no test, a hook that threw.
 */
function countModules(modules: readonly TestModule[]): Count {
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    if (module.errors().length > 0) count.failed += 1;
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) count.failed += 1;
    }
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // A test that never got its turn (the run was cut off) was not passed.
      if (state === "passed") count.passed += 1;
      else if (state === "failed" || state === "pending") count.failed += 1;
      else count.skipped += 1;
    }
  }
  return count;
}

/** Tests that failed first and passed when they were run again, which a CI allows where sockets are real, and why. */
function listRetried(modules: readonly TestModule[]): string[] {
  return modules.flatMap((module) =>
    [...module.children.allTests()]
      .filter((test) => test.diagnostic()?.flaky === true)
      .map((test) =>
        [`${module.relativeModuleId}: ${test.fullName}`, ...(test.result().errors ?? []).map(tell)].join(
          "\n",
        ),
      ),
  );
}

/** What a failure said. A difference is given whole by `diff` alone: the message cuts it off. */
function tell({ message, diff, stacks }: TestError): string {
  const place = stacks?.[0];
  const at = place === undefined ? [] : [`at ${place.file}:${place.line}`];
  const lines = [message, ...(diff === undefined ? [] : [diff]), ...at].join("\n").split("\n");
  return lines
    .slice(0, 60)
    .map((line) => `    ${line}`)
    .join("\n");
}

/** Do these arguments choose some of the tests (a file, a name, a change)? Then a project may well have none. */
function chooses(argv: readonly string[]): boolean {
  return argv.some((word) => (!word.startsWith("-") && word !== "run") || /^--(changed|shard)/.test(word));
}

/**
 * Ends the output with the count, alone on the last line, for any CI that reads one. Also fails the run
 * when one of its projects had no test file: vitest itself does so only if all of them are empty.
 */
export default class ClosingLine implements Reporter {
  #count: Count | undefined;
  #vitest: Vitest | undefined;
  #expected: string[] = [];

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
    // Coverage, and vitest's own complaints, are printed after onTestRunEnd; nothing is printed after this.
    // Writes to a pipe or a file are synchronous here (Node's documentation of process I/O).
    process.once("exit", (code) => {
      const count = this.#count ?? { passed: 0, failed: 0, skipped: 0 };
      if (code !== 0 && count.failed === 0) count.failed = 1;
      process.stdout.write(`\n${formatCount(count)}\n`);
    });
  }

  onTestRunStart(): void {
    const chosen = this.#vitest?.config.testNamePattern !== undefined || chooses(process.argv.slice(2));
    this.#expected = chosen ? [] : (this.#vitest?.projects ?? []).map((project) => project.name);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = countModules(modules);
    count.failed += unhandledErrors.length;
    for (const name of this.#expected) {
      if (modules.some((module) => module.project.name === name)) continue;
      process.stdout.write(
        `\nThe project "${name}" has no test file. Add one, or take it out of vitest.config.ts.\n`,
      );
      count.failed += 1;
    }
    for (const name of listRetried(modules))
      process.stdout.write(`\nFailed once, and passed then: ${name}\n`);
    if (count.failed > 0) process.exitCode = 1;
    this.#count = count;
  }
}
