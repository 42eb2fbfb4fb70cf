import { createDrain, type DrainEnd } from "./app/drain.ts";
import { renewalOptions } from "./app/issuing.ts";
import { createCallListener, createOperatorListeners } from "./app/listeners.ts";
import { createObservers } from "./app/observers.ts";
import { openParts } from "./app/parts.ts";
import { keepRecord } from "./app/record.ts";
import { composeSidecar, type SidecarOptions } from "./app/sidecar.ts";
import { createTerminationNotice } from "./app/termination.ts";
import type { Clock } from "./clock.ts";
import type { ConfigRow } from "./config/describe.ts";
import type { Config } from "./config/sections.ts";
import { watchStalls } from "./files/stalls.ts";
import { untilStopped } from "./lib/async.ts";
import { formatListenAddress, type ListenAddress } from "./listen/address.ts";
import type { Log } from "./observe/log.ts";
import { notStored } from "./renewal/types.ts";

export interface AppDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Somebody asked the control listener to end the process. */
  readonly onQuit: () => void;
  /** The configuration as people may read it, secrets masked: it stands in the record of money calls at each start. */
  readonly described?: readonly ConfigRow[];
}

/** Where the program listens, with the ports that the system chose. */
export interface AppAddresses {
  readonly proxy: readonly ListenAddress[];
  readonly admin: ListenAddress;
  readonly control: ListenAddress | undefined;
}

export interface App {
  /**
   * Reads the token and begins to listen. The admin listener comes first: a process that waits for a
   * store or a check URL lives, and says what it waits for.
   * @param stop ends the waiting: it then rejects with the signal's reason
   * @throws CommandError: `configuration` for a record that can't be read, `system-refused` for an address that can't be had
   */
  start(stop?: AbortSignal): Promise<AppAddresses>;
  /** Reads the token and the CA file again. @throws what could not be read; what was in hand stays */
  reload(): Promise<readonly string[]>;
  /** Keeps accepting for `drainMinMs`, then refuses new calls and waits for those under way, until `drainMaxMs`. */
  drain(): Promise<DrainEnd>;
  /**
   * Before an end that waits for nothing: within half a second each call is told what is known of it, if its caller
   * reads, and has its line in the log. @param why for the log, a sentence
   */
  cutOff(why: string): Promise<void>;
  /** For an end that can't wait for `close`: says which calls that move money have no known end. Once; `close` does, too. */
  leaveNotice(): Promise<void>;
  close(): Promise<void>;
}

/** Milliseconds between two reads of the store, beside whatever it tells of itself (POLL). */
const pollMs = 5_000;

const tokenLost =
  "The only token that works could not be stored, and ends with this process's memory, unless the very last try to write it works. What the record says is settled at the next start, which has another one issued.";

/** Milliseconds for the last lines of the record. */
const recordCloseMs = 2_000;

/** Milliseconds for the replies to calls that are cut off, and as many for their lines in the log. */
const lastWordsMs = 250;

/**
 * The program: its parts, the sidecar that is composed of them, and the listeners. Closing goes
 * the other way.
 * @throws CommandError `configuration` if the CA file, the credentials or the like can't be used
 */
export async function createApp(
  config: Config,
  { clock, log, onQuit, described = [] }: AppDeps,
): Promise<App> {
  const observers = await createObservers(config, { clock, log });
  const { emit, metrics, recent, version } = observers;
  const unwatchStalls = watchStalls((folder, stalled) => {
    if (stalled) {
      const message = `The file system under ${folder} does not answer. What was read from it goes on serving.`;
      emit({ type: "warning", message });
    } else log.write("info", "A file system answers again.", { folder });
  });
  const record = await keepRecord(config, { clock, observers, described });
  const parts = await openParts(config, { clock, emit }).catch(async (error: unknown) => {
    await record?.close(lastWordsMs);
    throw error;
  });
  const taken = record === undefined ? {} : { record: record.money };
  const sidecar = composeSidecar(sidecarOptions(config), { ...parts, ...taken, emit });
  // Before any call is accepted: what an earlier process has left open must not be sent again.
  record?.leaveTo(sidecar);
  const { readiness, tokens, lifecycle } = sidecar;
  const notice = createTerminationNotice(sidecar.outcomes, { log, clock });

  const calls = await createCallListener(config, { sidecar, clock, emit });
  const { status } = observers.watch(sidecar, parts.store, calls);
  const drain = createDrain(config, { readiness, calls, lifecycle, clock });
  const actions = { drain: drain.refuseNew, quit: onQuit, reload };
  const operators = await createOperatorListeners(config, {
    sidecar,
    clock,
    metrics,
    recent,
    status,
    actions,
    emit,
  });

  async function reload(): Promise<readonly string[]> {
    const [anchors, token] = await Promise.allSettled([parts.reload(), tokens.refresh()]);
    lifecycle?.credentialsChanged();
    if (anchors.status === "rejected") throw anchors.reason;
    if (token.status === "rejected") throw token.reason;
    return ["CA certificates", "token", ...(lifecycle === undefined ? [] : ["credentials"])];
  }

  function isTokenUnstored(): boolean {
    return lifecycle?.report().lastEnd?.kind === notStored.kind;
  }

  return {
    async start(stop) {
      for (const message of config.warnings) emit({ type: "warning", message });
      const admin = await operators.startAdmin();
      await (stop === undefined ? sidecar.prepare() : untilStopped(stop, sidecar.prepare()));
      const control = await operators.startControl();
      const proxy = await calls.start();
      sidecar.start();
      log.write("info", "The sidecar listens.", {
        version,
        role: config.role,
        upstream: config.origin.url,
        store: parts.store.kind,
        route: parts.describeRoute(),
        listen: proxy.map(formatListenAddress).join(", "),
        admin: formatListenAddress(admin),
        control: control === undefined ? "off" : formatListenAddress(control),
      });
      return { proxy, admin, control };
    },
    reload,
    async drain() {
      if (isTokenUnstored()) {
        log.write(
          "warn",
          "The only token that works is in this process's memory, and is not stored yet. Storing it is tried until PRESTO_DRAIN_MAX.",
          { audit: true },
        );
      }
      const end = await drain.run();
      if (isTokenUnstored()) log.write("error", tokenLost, { audit: true });
      return end;
    },
    async cutOff(why) {
      log.write("error", why, { issuing: lifecycle?.report().state === "issuing" ? true : undefined });
      if (isTokenUnstored()) log.write("error", tokenLost, { audit: true });
      calls.refuseNew();
      const endsAt = clock.monotonic() + lastWordsMs;
      calls.expireAll(endsAt - lastWordsMs / 2);
      await calls.idle(endsAt);
      calls.abandonAll();
      await notice.leave();
      await record?.close(lastWordsMs);
      await log.flush(lastWordsMs);
    },
    leaveNotice: notice.leave,
    async close() {
      await Promise.all([calls.close(), operators.close()]);
      await sidecar.close();
      await parts.close();
      await parts.destroy();
      // What was cut off still says what became of it.
      await calls.idle(clock.monotonic() + 1_000);
      calls.abandonAll();
      await notice.leave();
      record?.stop();
      await record?.close(recordCloseMs);
      await observers.close();
      unwatchStalls();
      await log.flush();
    },
  };
}

/** Milliseconds for a question of our own, or as long as a call may take, if that is less. */
const longestQuestionMs = 10_000;

/** What a sidecar is told, by what is configured. */
function sidecarOptions(config: Config): SidecarOptions {
  const { role, limits, holdMaxMs, egressCheck, probe, issuing, store, settle, timeoutMs } = config;
  return {
    role,
    limits,
    holdMaxMs,
    pollMs,
    storeIsRemote: store.isRemote,
    registered: egressCheck.registered,
    probe,
    settle: { ...settle, questionMs: Math.min(timeoutMs, longestQuestionMs) },
    renewal: issuing === undefined ? undefined : renewalOptions(issuing),
  };
}
