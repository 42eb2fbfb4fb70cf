import type { Random } from "../random.ts";

/** What is to happen in a world, drawn from its seed. Times are simulated milliseconds. */
export interface MoneyScenario {
  readonly seed: number;
  /**
   * `lost`: answers of Presto get lost, come late, or are not its own. `crashes`: processes are killed, and start
   * again by their record. `power`: their machines lose power. `disk`: disks fail, are full or do not answer.
   * `storm`: all of it. `late-word`: Presto says `failed` of what completes after all, as its rules do not allow.
   */
  readonly kind: "lost" | "crashes" | "power" | "disk" | "storm" | "late-word";
  /** Wall clock at the beginning. */
  readonly epoch: number;
  /** No more faults after that, and no new transactions. */
  readonly faultsMs: number;
  readonly timeoutMs: number;
  readonly settleMs: number;
  readonly settleOutcomesMs: number;
  /** Bytes after which the record goes on in another file. */
  readonly mostBytes: number;
  readonly whenUnavailable: "refuse" | "continue";
  /** How far its status service may be behind. */
  readonly lagMs: number;
  /** It refuses to move money a second time, with a 409 that frees nothing. */
  readonly isWise: boolean;
  /** Share of its answers to confirms that are something else than good ones. */
  readonly badAnswers: number;
  /** Share of the questions that get no good answer. */
  readonly badQuestions: number;
  /** Share of what is asked of disks that fails. */
  readonly badDisk: number;
  /** Between two crashes of one process; undefined: there are none. */
  readonly crashEveryMs: number | undefined;
  readonly transactions: number;
}

const kinds = [
  ["lost", 0.25],
  ["crashes", 0.25],
  ["power", 0.15],
  ["disk", 0.15],
  ["storm", 0.15],
  ["late-word", 0.05],
] as const;

export function drawMoneyScenario(seed: number, random: Random): MoneyScenario {
  const kind = drawKind(random.next());
  const settleMs = random.pick([10_000, 20_000, 40_000]);
  const hasCrashes = kind === "crashes" || kind === "power" || kind === "storm";
  const hasBadDisks = kind === "disk" || kind === "storm";
  return {
    seed,
    kind,
    epoch: Date.UTC(2026, random.whole(0, 11), random.whole(1, 28)),
    faultsMs: random.between(30_000, 90_000),
    timeoutMs: random.pick([2_000, 5_000, 20_000]),
    settleMs,
    // In some worlds it is over before Presto has said what became of everything.
    settleOutcomesMs: random.chance(0.2) ? settleMs + 30_000 : 24 * 3_600_000,
    mostBytes: random.pick([1, 1_500, 6_000, 64 * 1024 * 1024]),
    whenUnavailable: hasBadDisks && random.chance(0.2) ? "continue" : "refuse",
    lagMs: random.chance(0.5) ? 0 : random.between(100, 9_000),
    isWise: random.chance(0.3),
    badAnswers: random.between(0.1, 0.8),
    badQuestions: random.between(0, 0.6),
    badDisk: hasBadDisks ? random.between(0.01, 0.15) : 0,
    crashEveryMs: hasCrashes ? random.between(3_000, 25_000) : undefined,
    transactions: random.whole(4, 14),
  };
}

function drawKind(chance: number): MoneyScenario["kind"] {
  let left = chance;
  for (const [kind, share] of kinds) {
    left -= share;
    if (left < 0) return kind;
  }
  return "lost";
}
