import { createAskPresto } from "./ask-presto.ts";
import { resetOnce } from "./person.ts";
import type { Places } from "./places.ts";
import { createSimIssuer } from "./sim-issuer.ts";
import { createSimProcess } from "./sim-process.ts";
import type { SimProcess } from "./sim-process.ts";
import { createSimReset } from "./sim-reset.ts";
import { createSimSidecar } from "./sim-sidecar.ts";
import type { SimSidecar } from "./sim-sidecar.ts";
import { createTraffic } from "./traffic.ts";

/** The processes of a world. Whichever dies comes back after a while. */
export interface Population {
  /** Starts all of them. */
  start(): void;
  /** A person has the password changed, and runs the command again until that is settled. */
  resetPassword(): void;
  /** Callers' connections break for so long. */
  breakConnections(ms: number): void;
}

export function createPopulation(places: Places, alive: Map<SimProcess, SimSidecar>): Population {
  const { scenario, timeline, random, story, faults, operate, presto, store, locks, credentials } = places;
  const { witness, callers, tokens } = places;
  const isFile = scenario.topology === "file";
  const surroundings = { scenario, timeline, random: random.fork(), story, faults, presto };
  const issuing = {
    ...surroundings,
    heldBack: [],
    onBegin: witness.issueBegins,
    onExecuted: witness.executed,
    onHeard: witness.heard,
  };
  const resetting = { ...surroundings, onReset: () => witness.checkPassword() };
  const asking = { operate, presto, isBlind: scenario.kind === "blind" };
  let brokenUntil = 0;
  const traffic = {
    timeline,
    random: random.fork(),
    presto,
    tokens,
    callOf: callers.callOf,
    isBroken: () => timeline.now() < brokenUntil,
    onMoney: callers.moneyMoved,
  };

  function createProcess(role: string, life: number): SimProcess {
    const wallOffset = random.between(-scenario.skewMs, scenario.skewMs);
    const { epoch } = scenario;
    const process = createSimProcess({
      role,
      life,
      timeline,
      random: random.fork(),
      story,
      epoch,
      wallOffset,
    });
    story.tell(() => `${process.name} starts`);
    return process;
  }

  function spawn(role: string, life: number): void {
    const process = createProcess(role, life);
    const sidecar = createSimSidecar({
      scenario,
      process,
      random: random.fork(),
      story,
      serves: !role.startsWith("rotator"),
      issuing: role.startsWith("proxy")
        ? undefined
        : {
            store: store.forIssuing(process),
            lock: locks.forProcess(process),
            issuer: createSimIssuer(issuing, process),
            credentials: credentials.forProcess(process),
            ask: createAskPresto(asking, process),
            onIntends: (intent) => witness.intends(process, intent),
          },
      requestStore: store.forRequests(process),
      dispatcher: createTraffic(traffic, process),
    });
    alive.set(process, sidecar);
    process.onDeath(() => {
      alive.delete(process);
      timeline.after(random.between(200, 40_000), () => spawn(role, life + 1));
    });
    void begin(sidecar);
  }

  async function begin({ process, tokens: source, lifecycle, perform }: SimSidecar): Promise<void> {
    await source.start().catch(() => {});
    lifecycle?.start();
    if (perform !== undefined) callers.callAt(process, perform, () => lifecycle?.look());
  }

  function runReset(life: number): void {
    const process = createProcess("reset", life);
    const again = (): void => void timeline.after(random.between(3_000, 30_000), () => runReset(life + 1));
    process.onDeath(again);
    const command = resetOnce(
      {
        process,
        store: store.forIssuing(process),
        lock: locks.forProcess(process),
        credentials: credentials.forProcess(process),
        issuer: createSimReset(resetting, process),
      },
      "new password",
    );
    void command.then((isDone) => {
      story.tell(() => `${process.name} ends: the password is ${isDone ? "changed" : "not settled"}`);
      if (!isDone) again();
    });
  }

  return {
    start() {
      const issuers = isFile ? "all" : "rotator";
      for (let index = 1; index <= scenario.rotators; index += 1) spawn(`${issuers}-${index}`, 1);
      for (let index = 1; index <= scenario.proxies; index += 1) spawn(`proxy-${index}`, 1);
    },
    resetPassword: () => runReset(1),
    breakConnections(ms) {
      brokenUntil = timeline.now() + ms;
    },
  };
}
