import type { SimProcess } from "../sim-process.ts";
import { Violation } from "../violation.ts";
import type { SimCall, Told } from "./apps.ts";
import type { MoneyScenario } from "./scenario.ts";
import type { Site } from "./site.ts";
import { canonical } from "./spelling.ts";
import type { Truth } from "./truth.ts";

/** What must hold, whatever happens. Everything here knows the truth; nothing here is a part of the program. */
export interface Claims {
  /** The first byte of a confirm is about to be written. @throws Violation */
  sending(call: SimCall, process: SimProcess): void;
  /** An app was told something. @throws Violation */
  told(call: SimCall, told: Told): void;
  /** Of a world in which everything has settled. @throws Violation */
  atTheEnd(
    sites: readonly Site[],
    references: readonly string[],
    isShared: (reference: string) => boolean,
  ): void;
  /** What is not settled yet; undefined where nothing is. */
  unsettled(site: Site): string | undefined;
}

export function createClaims(scenario: MoneyScenario, truth: Truth): Claims {
  /** Lines that could not be written are lost with their process, where it was told to go on without. */
  const mayForget = (site: Site): boolean => scenario.whenUnavailable === "continue" && site.crashes() > 0;
  const isByRule = scenario.kind !== "late-word";

  function mayHaveMoved(site: Site, reference: string): boolean {
    return truth
      .executions(reference)
      .some((execution) => execution.site === site.name && execution.movesAt !== undefined);
  }

  return {
    sending(call, process) {
      const { id, reference, site } = call;
      const { deadlineAt, cancelReason } = call.call;
      call.sends += 1;
      if (process.clock.monotonic() > deadlineAt || cancelReason !== undefined)
        throw new Violation("late", `${id} is sent when nobody waits for it any more`);
      if (isByRule && !mayForget(site) && mayHaveMoved(site, reference))
        throw new Violation(
          "guard",
          `${id} is sent, and an earlier confirm of ${reference} has moved the money, or will`,
        );
      const line = `"request_id":"${id}","attempt":${call.sends},`;
      if (scenario.whenUnavailable === "refuse" && !site.disk.isDurable(line))
        throw new Violation("line", `${id} is sent, and its line is not on the disk`);
    },
    told({ id, reference, sends }, told) {
      const { kind, status, outcome, transaction, body } = told;
      const isSuccess = kind === "answered" && status >= 200 && status <= 299;
      if (isSuccess && transaction === undefined) {
        if (truth.moved(reference) === 0)
          throw new Violation("truth", `${id} was answered as done, and nothing has moved`);
        if (!body.includes(reference))
          throw new Violation("truth", `${id} was answered about another transaction`);
      }
      if (transaction === "completed" && truth.moved(reference) === 0)
        throw new Violation("truth", `${id} was told that ${reference} is completed, and it is not`);
      if (kind === "problem" && outcome === "not-sent" && sends > 0)
        throw new Violation("truth", `${id} was told that nothing was sent, and it was`);
      if (kind === "answered" && sends === 0)
        throw new Violation("truth", `${id} was told an answer of Presto's, and was not sent`);
      const isRefusal = kind === "answered" && status >= 400 && status <= 499 && transaction === undefined;
      const own = truth.executions(reference).filter((execution) => execution.id === id);
      if (isRefusal && isByRule && own.some(({ movesAt }) => movesAt !== undefined))
        throw new Violation("truth", `${id} was told that it is refused, and its money moves`);
    },
    unsettled(site) {
      const serving = site.serving();
      if (serving === undefined) return `${site.name} does not serve`;
      for (const { reference = "", stopped, unaskable } of serving.sidecar.outcomes.open()) {
        const known = truth.says(canonical(reference));
        if (!stopped && unaskable === undefined && (known === "completed" || known === "failed"))
          return `${site.name} does not know what became of ${reference}, and Presto says ${known}`;
      }
      return undefined;
    },
    atTheEnd(sites, references, isShared) {
      for (const reference of references) {
        if (isByRule && !isShared(reference) && !sites.some(mayForget) && truth.moved(reference) > 1)
          throw new Violation("money", `${reference} has moved money ${truth.moved(reference)} times`);
        for (const site of sites) checkListed(site, reference);
      }
      if (scenario.kind === "late-word") checkAlarms(sites, references);
    },
  };

  /** An end that nobody knows stays listed, whatever happens to the process. */
  function checkListed(site: Site, reference: string): void {
    const own = truth.executions(reference).filter((execution) => execution.site === site.name);
    if (mayForget(site) || truth.isVoid(reference) || truth.mayMove(reference)) return;
    if (own.at(-1)?.isUnclear !== true) return;
    const open = site.serving()?.sidecar.outcomes.open() ?? [];
    if (!open.some((one) => one.reference !== undefined && isSame(one.reference, reference)))
      throw new Violation(
        "listed",
        `what became of ${reference} nobody knows, and ${site.name} does not list it`,
      );
  }

  /** What was believed to have failed, and completed after all. */
  function checkAlarms(sites: readonly Site[], references: readonly string[]): void {
    for (const site of sites) {
      const serving = site.serving();
      if (serving === undefined || site.crashes() > 0) continue;
      for (const { reference = "", status, contradicts } of serving.sidecar.outcomes.recent()) {
        const isWrong =
          status === "failed" &&
          references.some(
            (each) => isSame(reference, each) && truth.moved(each) > 0 && truth.executions(each).length === 1,
          );
        const isTold = serving.sidecar.outcomes
          .recent()
          .some(
            (one) => one.status === "completed" && one.contradicts && isSame(one.reference ?? "", reference),
          );
        if (isWrong && !contradicts && !isTold)
          throw new Violation(
            "late word",
            `${site.name} holds ${reference} to have failed, and its money has moved`,
          );
      }
    }
  }
}

function isSame(one: string, other: string): boolean {
  return canonical(one) === canonical(other);
}
