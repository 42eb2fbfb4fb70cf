import { createReadiness, type Readiness } from "../admin/readiness.ts";
import { CommandError } from "../errors.ts";
import type { Emit } from "../lib/events.ts";
import type { Event, Subscriber } from "../observe/events.ts";
import { isOwnFault, StoreError, type TokenRecord } from "../store/contract.ts";
import type { TokenSource } from "../token/source.ts";

/** One condition of readiness, for whoever keeps it. */
type KeptLatch = ReturnType<Readiness["latch"]>;

/**
 * What must hold for a process of that role to be ready.
 * @param isWatched the address that calls leave from is looked at
 */
export function composeReadiness(
  role: "proxy" | "rotator" | "all",
  isWatched: boolean,
  emit: Emit<Event>,
): Readiness {
  const options = { emit, egress: isWatched };
  switch (role) {
    case "proxy":
      return createReadiness(options);
    case "rotator":
      return createReadiness({ ...options, alarm: "decisive" });
    case "all":
      return createReadiness({ ...options, alarm: "advisory" });
  }
}

/**
 * Keeps the latches that events move, each by what it hears: those of readiness, and those that an operator should
 * look at. The token's first.
 */
export function keepLatches({ latch }: Pick<Readiness, "latch">): Subscriber {
  const keepers = [
    keepTokenLatch(latch("token")),
    keepRefusedTokenLatch(latch("token-refused")),
    keepCredentialsLatch(latch("credentials-refused")),
    keepClockLatch(latch("clock")),
    keepElsewhereLatch(latch("record-elsewhere")),
    keepOutcomesLatch(latch("open-outcomes")),
  ];
  return (event) => {
    for (const keep of keepers) keep(event);
  };
}

/** Keeps the latch: closed until a token was read, then open for good (a rejected token may be a lie, and would take every app's pod down). */
export function keepTokenLatch(latch: KeptLatch): Subscriber {
  let held = false;
  return (event) => {
    switch (event.type) {
      case "token-changed":
        held = true;
        latch.open();
        break;
      case "store-failed":
        if (!held && event.error instanceof StoreError) latch.close(event.error.message);
        break;
      case "renewal-ended":
        if (!held && "detail" in event.end) latch.close(`There is no token yet. ${event.end.detail}`);
        break;
      default:
    }
  };
}

/**
 * First read of the store. Where nothing is there yet, or the store is away, the sidecar starts,
 * and is not ready; what can't be read by a mistake on this side only a person here can mend.
 * @param hint how one gets there, in sentences; asked for when nothing was found
 * @param isRemote is the store kept by a server?
 * @throws CommandError `configuration`
 */
export async function startTokens(
  tokens: Pick<TokenSource, "start" | "record">,
  latch: KeptLatch,
  hint: () => string,
  isRemote: boolean,
): Promise<void> {
  try {
    await tokens.start();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (isOwnFault(error, isRemote)) throw new CommandError("configuration", error.message, error);
    return;
  }
  if ((tokens.record()?.token ?? null) === null) latch.close(`The store holds no token yet. ${hint()}`);
}

/** Keeps the latch that is shown while Presto's last word on the token in hand is 401. */
export function keepRefusedTokenLatch(latch: KeptLatch): Subscriber {
  let held: string | undefined;
  let refused: string | undefined;

  function settle(): void {
    if (refused === undefined || refused !== held) latch.open();
    else
      latch.close(
        "Presto answered 401 to the token in hand. It is tried again now and then, since a 401 can lie; see whether it was revoked or has expired.",
      );
  }

  return (event) => {
    switch (event.type) {
      case "token-changed":
        held = event.id;
        break;
      case "token-rejected":
        refused = event.id;
        break;
      case "token-accepted":
        if (refused === event.id) refused = undefined;
        break;
      default:
        return;
    }
    settle();
  };
}

/** Keeps the latch that is shown while Presto refuses the account's credentials; that they have changed is no event, and opens it. */
export function keepCredentialsLatch(latch: KeptLatch): Subscriber {
  return (event) => {
    if (event.type !== "renewal-ended") return;
    const { end } = event;
    if (end.kind === "renewed") latch.open();
    else if (end.kind === "refused" && end.credentials) latch.close(end.detail);
  };
}

/** Keeps the latch that is shown while the clock makes each new token due at once. */
export function keepClockLatch(latch: KeptLatch): Subscriber {
  return (event) => {
    if (event.type !== "clock-alarm-changed") return;
    if (event.reason === undefined) latch.open();
    else latch.close(event.reason);
  };
}

/** Keeps the latch that is shown while the record in the store is another object's. */
export function keepElsewhereLatch(latch: KeptLatch): Subscriber {
  return (event) => {
    if (event.type !== "elsewhere-changed") return;
    if (event.reason === undefined) latch.open();
    else latch.close(event.reason);
  };
}

/** Keeps the latch that is shown while no resolver answers, and names are served from memory. */
export function keepNamesLatch(latch: KeptLatch): Subscriber {
  const hosts = new Set<string>();
  return (event) => {
    if (event.type !== "last-good-addresses") return;
    if (event.serving) hosts.add(event.host);
    else hosts.delete(event.host);
    if (hosts.size === 0) latch.open();
    else latch.close(`No resolver answers for ${[...hosts].join(", ")}; the addresses last good serve.`);
  };
}

/** Keeps the latch that is shown while the end of some call that moves money is not known. */
export function keepOutcomesLatch(latch: KeptLatch): Subscriber {
  return (event) => {
    if (event.type !== "outcomes-changed") return;
    if (event.open === 0) latch.open();
    else
      latch.close(
        `What became of ${event.open} ${event.open === 1 ? "call that moves" : "calls that move"} money is not known yet; presto-sidecar outcomes lists them.`,
      );
  };
}

/** The alarm stands in the record, whoever latched or cleared it, and goes with it: told once, whichever process did. */
export function createAlarmFollower(
  emit: Emit<Event>,
  latch: KeptLatch,
): (stopped: TokenRecord["stopped"]) => void {
  let known: string | undefined;
  return (stopped) => {
    const alarm = stopped ?? undefined;
    if (alarm?.reason === known) return;
    known = alarm?.reason;
    emit({ type: "alarm-changed", alarm });
    if (alarm === undefined) latch.open();
    else latch.close(alarm.reason);
  };
}
