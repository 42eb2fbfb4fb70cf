import { isObject, type JsonObject } from "../../src/lib/json.ts";
import { type StoredBytes, StoreError } from "../../src/store/contract.ts";
import type { RemoteResponse } from "../../src/store/remote.ts";
import type { VaultEntry } from "../../src/store/vault/access.ts";
import type { VaultRequest } from "../../src/store/vault/login.ts";
import type { VaultSession } from "../../src/store/vault/session.ts";
import { createVaultBackend } from "../../src/store/vault/vault.ts";
import { createAsk, type Place, type PlaceOptions } from "./sim-place.ts";
import type { SimProcess } from "./sim-process.ts";

/** The entry as one write left it. `cas` 0: there is none, nor was one. */
interface Entry {
  readonly index: number;
  readonly appliedAt: number;
  readonly cas: number;
  readonly createdAt: string;
  readonly data: JsonObject | undefined;
}

const field = "record";
/** Milliseconds that a standby is behind, mostly. */
const lagMs = 300;

/**
 * A Vault with an active node and two standbys, by the semantics that a real one was seen to have: reads
 * are answered by any of them, and may be stale, unless the index is named that was seen last; it is
 * sealed now and then; versions are the entry's own, and begin anew with it.
 */
export function createSimVault(options: PlaceOptions): Place {
  const { timeline, random, story, site } = options;
  const entry: VaultEntry = { path: `secret/${site}/token`, field };
  const { exchange, fail, isDown } = createAsk(options, lost);
  const nothing: Entry = {
    index: 1,
    appliedAt: Number.NEGATIVE_INFINITY,
    cas: 0,
    createdAt: "",
    data: undefined,
  };
  /** Taken out of the entry once. */
  let seen: { readonly of: Entry; readonly stored: StoredBytes } | undefined;
  /** The newest last. */
  let states: Entry[] = [nothing];
  /** From then on standbys have applied nothing, and until then they will not. */
  let still = { since: 0, until: 0 };

  const newest = (): Entry => states.at(-1) ?? nothing;

  function apply(cas: number, data: JsonObject | undefined, createdAt?: string): Entry {
    const made = {
      index: newest().index + 1,
      // What stands there when the world begins has come everywhere long ago.
      appliedAt: timeline.now() === 0 ? Number.NEGATIVE_INFINITY : timeline.now(),
      cas,
      createdAt: createdAt ?? (cas === 0 ? "" : new Date(options.epoch + timeline.now()).toISOString()),
      data,
    };
    states = [...states.slice(-8), made];
    return made;
  }

  /** As a standby sees it. */
  function behind(): Entry {
    const now = timeline.now();
    const upTo = (now < still.until ? still.since : now) - random.between(0, lagMs);
    return states.findLast(({ appliedAt }) => appliedAt <= upTo) ?? states[0] ?? nothing;
  }

  function read(atLeast: number): Entry {
    const seen = random.chance(0.6) ? behind() : newest();
    // A standby that has not come as far as that has the active node answer.
    return seen.index < atLeast ? newest() : seen;
  }

  function write(process: SimProcess, { body }: VaultRequest): RemoteResponse {
    const given: JsonObject = JSON.parse(body ?? "{}");
    const asked = isObject(given["options"]) ? given["options"]["cas"] : undefined;
    // Without one it is written over whatever stands there.
    if (asked !== undefined && asked !== newest().cas) {
      story.tell(() => `a write of ${process.name} is refused: the entry is at ${newest().cas}`);
      return answer(400, {
        errors: ["check-and-set parameter did not match the current version"],
      });
    }
    const before = current();
    const made = apply(newest().cas + 1, isObject(given["data"]) ? given["data"] : {});
    options.onWrite(process, before, current());
    return answer(200, { data: { version: made.cas, created_time: made.createdAt } });
  }

  function current(): StoredBytes | undefined {
    const state = newest();
    const text = state.data?.[field];
    if (typeof text !== "string") return undefined;
    if (seen?.of !== state)
      seen = {
        of: state,
        stored: { bytes: Buffer.from(text), version: `${state.cas} ${state.createdAt}` },
      };
    return seen.stored;
  }

  function connect(process: SimProcess, isStruck: boolean): VaultSession {
    /** Sent back with each request, so that nothing is seen that is older. */
    let index = 0;
    const serve = (request: VaultRequest): { readonly response: RemoteResponse; readonly index: number } => {
      if (request.path.startsWith("sys/")) {
        const mount = { path: "secret/", type: "kv", options: { version: "2" } };
        return { response: answer(200, { data: mount }), index };
      }
      if (request.method !== "GET") {
        const response = write(process, request);
        return { response, index: newest().index };
      }
      const seen = read(index);
      return { response: shown(seen), index: seen.index };
    };
    return {
      async request(_subject, request) {
        const isWrite = request.method !== "GET";
        const kind = isWrite ? "write" : "read";
        const heard = await exchange({ process, isStruck, kind, isWrite, serve: () => serve(request) });
        index = Math.max(index, heard.index);
        return heard.response;
      },
      restMs: () => 0,
      logOut: async () => {},
      close() {},
    };
  }

  function put(bytes: Uint8Array): void {
    apply(newest().cas + 1, { [field]: Buffer.from(bytes).toString("utf8") });
  }

  return {
    current,
    identity: () => undefined,
    open: (process, isStruck) =>
      createVaultBackend(
        { entry, holds: "token" },
        { session: connect(process, isStruck), random: () => random.next() },
      ),
    put,
    putBack(bytes, wasVersion) {
      const data = { [field]: Buffer.from(bytes).toString("utf8") };
      const [cas, createdAt] = wasVersion.split(" ");
      if (random.chance(0.3)) {
        story.tell(() => `a snapshot is restored: the entry is at ${cas} again`);
        apply(Number(cas), data, createdAt);
      } else if (random.chance(0.5)) {
        story.tell(() => "the entry is deleted with its metadata, and made anew");
        apply(0, undefined);
        apply(1, data);
      } else put(bytes);
    },
    wipe() {
      // With its metadata, or this version of it alone.
      if (random.chance(0.5)) apply(0, undefined);
      else apply(newest().cas, undefined, newest().createdAt);
    },
    fail,
    isDown,
    silence() {},
    disturbWatches() {},
    standsStill(ms) {
      still = { since: timeline.now(), until: timeline.now() + ms };
    },
  };
}

/** Each is read many times, and never changed. */
const shownBefore = new WeakMap<Entry, RemoteResponse>();

function shown(entry: Entry): RemoteResponse {
  const response = shownBefore.get(entry) ?? responseOf(entry);
  shownBefore.set(entry, response);
  return response;
}

function responseOf({ cas, createdAt, data }: Entry): RemoteResponse {
  if (cas === 0) return answer(404, { errors: [] });
  // A version that was deleted is shown without its data.
  const metadata = { version: cas, created_time: createdAt };
  return answer(data === undefined ? 404 : 200, { data: { data: data ?? null, metadata } });
}

function answer(status: number, body: JsonObject): RemoteResponse {
  return { status, headers: {}, body: Buffer.from(JSON.stringify(body)) };
}

function lost(): Error {
  return new StoreError("unreachable", "The simulated Vault is sealed, or did not answer.");
}
