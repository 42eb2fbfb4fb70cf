import type { Clock } from "../clock.ts";
import { type EgressOptions, openEgress } from "../connect/open.ts";
import type { Signals } from "../observe/events.ts";
import { openStore, type StoreOptions } from "../store/open.ts";
import { createEvidence } from "../token/health.ts";
import { composeRenewal } from "./compose-renewal.ts";
import type { RenewalParts, TokenUsers } from "./run.ts";
import type { IssuingOptions } from "./types.ts";

export interface CommandRenewalOptions extends EgressOptions {
  readonly timeoutMs: number;
  readonly store: StoreOptions;
  readonly issuing: IssuingOptions;
  readonly probeReference: string;
}

/**
 * What a command needs to have a token issued; whoever uses tokens is in other processes, and
 * gets GRACE to hear of the intent.
 * @throws Failure `refused` for a store that can't be written
 */
export async function openRenewal(
  options: CommandRenewalOptions,
  { clock, signals }: { readonly clock: Clock; readonly signals: Signals },
): Promise<{ readonly parts: RenewalParts; close(): Promise<void> }> {
  const egress = await openEgress(options, { clock, signals });
  const store = await openStore(options.store, { clock });
  const { parts, credentials } = await composeRenewal({
    ...options,
    connector: egress.connector,
    store,
    place: options.store,
    users: usersElsewhere(clock),
    evidence: createEvidence(clock),
    egressCheck: undefined,
    clock,
    signals,
  });
  return {
    parts,
    async close() {
      credentials.close();
      store.close();
      egress.close();
    },
  };
}

/** Nobody in this process uses the token. */
export function usersElsewhere(clock: Clock): TokenUsers {
  return {
    noticeRecord: async () => {},
    quiet: (maxMs) => clock.sleep(maxMs),
    serve() {},
    withdraw() {},
    probed() {},
  };
}
