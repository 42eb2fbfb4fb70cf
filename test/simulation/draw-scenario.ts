import type { DayWindow } from "../../src/renewal/schedule.ts";
import type { RenewalTimes } from "../../src/renewal/types.ts";
import { leaseMs } from "../../src/store/term.ts";
import { drawStrike } from "./draw-strike.ts";
import type { FaultKind } from "./fault-kinds.ts";
import type { Random } from "./random.ts";
import type { Import, Scenario, ScenarioKind, Strike, TimedFault, Wish } from "./scenario.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const beginnings = ["live", "live", "live", "live", "live", "live", "empty", "dead", "intent"] as const;
const midnight = Date.UTC(2026, 10, 25);

const kinds: readonly (readonly [ScenarioKind, number])[] = [
  ["calm", 8],
  ["single", 22],
  ["several", 21],
  ["put-back", 5],
  ["clone", 3],
  ["deaf", 3],
  ["moved", 3],
  ["manual", 3],
  ["storm", 3],
  ["foreign", 8],
  ["rivalry", 4],
  ["short-settle", 6],
  ["overlap", 8],
  ["blind", 3],
];

function drawKind(random: Random): ScenarioKind {
  let left = random.between(0, 100);
  for (const [kind, weight] of kinds) {
    left -= weight;
    if (left < 0) return kind;
  }
  return "several";
}

const timedKinds: readonly FaultKind[] = [
  "crash",
  "crash",
  "pause",
  "suspend",
  "restart",
  "clock-jump",
  "store-outage",
  "store-outage",
  "backup-restored",
  "watch-silent",
  "watch-cut",
  "standby-lagging",
  "presto-outage",
  "call-broken",
  "address-moved",
  "address-moved",
];

function countFaults(kind: ScenarioKind, random: Random): number {
  switch (kind) {
    case "single":
      return 1;
    case "several":
    case "short-settle":
    case "overlap":
      return random.whole(2, 5);
    case "storm":
      return random.whole(8, 20);
    case "blind":
    case "manual":
    case "clone":
    case "put-back":
      return random.chance(0.5) ? 0 : random.whole(1, 2);
    case "calm":
    case "deaf":
    case "foreign":
    case "moved":
    case "rivalry":
      return 0;
  }
}

function drawTimes(random: Random, kind: ScenarioKind, topology: Scenario["topology"]): RenewalTimes {
  const issueTimeoutMs = kind === "overlap" ? 3_000 : random.pick([3_000, 6_000, 15_000]);
  const graceMs = random.pick([500, 2_000]);
  const settles = { "short-settle": [0, 500, 5_000], overlap: [0, 500, 3_000, 12_000] } as const;
  const shortMs = issueTimeoutMs + graceMs + 5_000;
  const drawnMs = shortMs + random.between(1_000, kind === "overlap" ? 2_000 : 23_000);
  return {
    issueTimeoutMs,
    graceMs,
    // That of a Lease is what ships.
    leaseMs: topology === "kubernetes" ? leaseMs : drawnMs,
    settleMs: random.pick(
      kind === "short-settle" || kind === "overlap" ? settles[kind] : [8_000, 20_000, 45_000, 90_000],
    ),
    probeEveryMs: random.pick([10_000, 20_000, 60_000]),
  };
}

/**
 * Two 401s that a probe hears may both lie where this is more than their distance. Where tokens
 * are replaced faster than Presto's replicas learn of them, nobody can ever use the live one.
 */
function drawLag(random: Random, kind: ScenarioKind, renewEveryMs: number): number {
  if (kind === "single") return 0;
  const short = [0, 0, 800, 1_900];
  const isLong = kind === "several" || kind === "calm" || kind === "storm";
  return Math.min(random.pick(isLong ? [...short, 20_000] : short), renewEveryMs / 4);
}

/** PRESTO_RENEW_WINDOW opens while the world lasts, and closes again. */
function drawWindow(random: Random, epoch: number): DayWindow {
  const opensIn = random.between(-20_000, 100_000);
  const ofDay = (at: number): number => ((at % dayMs) + dayMs) % dayMs;
  return {
    fromMs: ofDay(epoch + opensIn),
    toMs: ofDay(epoch + opensIn + random.between(30_000, 120_000)),
  };
}

function drawBeginning(random: Random, kind: ScenarioKind): Scenario["beginning"] {
  if (kind === "rivalry") return "live";
  if (kind === "put-back") return random.pick(["live", "live", "stopped"]);
  return random.pick(beginnings);
}

function drawWishes(random: Random, kind: ScenarioKind, faultsMs: number): Wish[] {
  const few = kind !== "rivalry" && kind !== "deaf" && random.chance(0.15);
  const count = kind === "manual" ? random.whole(0, 2) : few ? random.whole(1, 2) : 0;
  return Array.from({ length: count }, () => ({
    when:
      kind === "manual" || random.chance(0.5)
        ? { at: random.between(1_000, faultsMs) }
        : { heard: random.whole(1, 3) },
    force: random.chance(0.2),
    waitMs: random.pick([0, 2_000, 30_000]),
  }));
}

function drawImports(random: Random, kind: ScenarioKind, faultsMs: number): Import[] {
  const likely = kind === "deaf" ? 0.5 : /^(several|storm|short-settle)$/.test(kind) ? 0.2 : 0;
  if (!random.chance(likely)) return [];
  return [
    {
      at: random.between(5_000, faultsMs * 0.8),
      overIntent: random.chance(0.6),
      token: random.pick(["new", "new", "dead", "stored"]),
    },
  ];
}

/** Everything about a world that is decided before it begins. */
export function drawScenario(seed: number, random: Random): Scenario {
  const kind = drawKind(random);
  const isOverlap = kind === "overlap";
  const topology =
    !isOverlap && kind !== "clone" && random.chance(0.4)
      ? "file"
      : random.chance(0.6)
        ? "kubernetes"
        : "vault";
  const times = drawTimes(random, kind, topology);
  const faultsMs = random.between(100_000, 250_000);
  const strikes: Strike[] = [];
  const timedFaults: TimedFault[] = [];
  for (let left = countFaults(kind, random); left > 0; left -= 1) {
    if (isOverlap || random.chance(0.75)) strikes.push(drawStrike(random, kind));
    else timedFaults.push({ at: random.between(0, faultsMs), kind: random.pick(timedKinds) });
  }
  if (kind === "foreign") {
    for (let left = random.whole(1, 3); left > 0; left -= 1)
      timedFaults.push({ at: random.between(0, faultsMs), kind: "foreign-issue" });
  }
  if (kind === "put-back") {
    for (let left = random.whole(1, 3); left > 0; left -= 1) {
      const how = random.pick(["backup-restored", "backup-restored", "record-wiped"] as const);
      timedFaults.push({ at: random.between(20_000, faultsMs), kind: how });
    }
  }
  if (kind === "moved") {
    for (let left = random.whole(2, 4); left > 0; left -= 1) {
      const at = random.between(0, faultsMs);
      timedFaults.push({ at, kind: "address-moved" });
      // So that calls are blocked while others wait for a connection.
      if (random.chance(0.5)) timedFaults.push({ at: at - random.between(0, 10_000), kind: "presto-outage" });
    }
  }
  if (kind === "rivalry" && random.chance(0.5)) {
    for (let at = random.between(0, 60_000); at < 300_000; at += random.between(20_000, 90_000))
      timedFaults.push({ at, kind: "crash" });
  }
  // So near to its end a token is renewed even where Presto gives no answer.
  const nearEnd = kind !== "rivalry" && !isOverlap && random.chance(0.1);
  const tokenDays = nearEnd ? 1 : random.pick([30, 90]);
  const epoch = nearEnd
    ? midnight - random.between(20_000, 400_000)
    : midnight - random.between(2, 22) * 3_600_000;
  const hasWindow = !nearEnd && (kind === "calm" || kind === "several") && random.chance(0.2);
  const renewEveryMs =
    isOverlap || kind === "moved" || kind === "deaf" || kind === "clone"
      ? 20_000
      : kind === "rivalry"
        ? dayMs
        : random.pick([20_000, 40_000, 90_000, dayMs]);
  const hasResets = /^(several|storm|short-settle)$/.test(kind) && random.chance(0.25);
  if (hasResets && random.chance(0.7))
    strikes.push({ operation: "reset", nth: random.whole(1, 2), fault: undefined });
  const imports = drawImports(random, kind, faultsMs);
  // An intent that stands for long is left by a call of which nothing is known.
  if (imports.some(({ overIntent }) => overIntent) && kind !== "deaf")
    strikes.push({
      operation: "issue",
      nth: random.whole(1, 2),
      fault: random.pick(["never-arrived", "crash-after", "executed-late"]),
    });
  return {
    seed,
    kind,
    topology,
    rotators: topology === "file" ? (random.chance(0.8) ? 1 : 2) : random.whole(isOverlap ? 2 : 1, 3),
    proxies: topology === "file" ? 0 : random.pick([1, 1, 1, 2, 2, 3, 5]),
    times,
    holdMaxMs: random.pick([2_000, 5_000]),
    pollMs: random.pick([2_000, 5_000, 10_000]),
    tokenDays,
    renewAt: nearEnd ? 0.67 : renewEveryMs / (tokenDays * dayMs),
    window: hasWindow ? drawWindow(random, epoch) : undefined,
    beginning: drawBeginning(random, kind),
    deaf: kind === "deaf" ? { from: random.between(0, 30_000), until: faultsMs } : { from: 0, until: 0 },
    settleTooShort: kind === "short-settle" || (isOverlap && random.chance(0.6)),
    epoch,
    lagMs: drawLag(random, kind, renewEveryMs),
    skewMs: nearEnd ? 0 : random.pick([0, 0, 5_000]),
    strikes,
    timedFaults,
    faultsMs,
    callEveryMs: random.pick([1_500, 4_000, 8_000]),
    callDeadlineMs: kind === "single" || random.chance(0.2) ? 400_000 : 20_000,
    lostNotices: random.pick([0, 0, 0.2, 1]),
    wishes: drawWishes(random, kind, faultsMs),
    imports,
    resets: hasResets ? 1 : 0,
    resetKillsToken: hasResets && random.chance(0.3),
    pendingPassword: random.pick(["none", "none", "none", "works", "does-not-work"]),
    // Not where leases overlap: what a sleep does there to two of them is found by one world in thousands as it is.
    apartMs:
      !isOverlap && random.chance(0.12) ? random.pick([2 * minuteMs, 60 * minuteMs, 360 * minuteMs]) : 0,
  };
}
