import type { Clock } from "../../src/clock.ts";
import { StoreError } from "../../src/store/contract.ts";
import type { Api, ApiRequest } from "../../src/store/kubernetes/api.ts";
import { requestMs } from "../../src/store/remote.ts";
import type { StandInLeases } from "./stand-in-leases.ts";

/** What becomes of a write. */
export type Fate =
  /** It is done, and the answer never comes. */
  | "answer lost"
  /** It never arrives. */
  | "lost"
  /** It is done at once, and the answer comes after so many milliseconds. */
  | { readonly answersAfterMs: number }
  /** Something happens right before it arrives. */
  | { readonly after: () => void };

/** The way from one process to an API server, which a test may spoil. */
export interface WaywardApi extends Pick<Api, "request"> {
  readonly sent: readonly (ApiRequest & { readonly at: number })[];
  /** Of the writes that come, in this order; then all goes well. */
  readonly fates: Fate[];
  /** `cut`: nothing arrives, and each request ends when its time is over. `dead`: the process was killed. */
  state: "well" | "cut" | "dead";
}

export function createWaywardApi(through: Pick<Api, "request">, clock: Clock): WaywardApi {
  const sent: (ApiRequest & { readonly at: number })[] = [];
  const fates: Fate[] = [];

  async function lost(): Promise<never> {
    await clock.sleep(requestMs);
    throw new StoreError("unreachable", "The stand-in did not answer.");
  }

  const way: WaywardApi = {
    sent,
    fates,
    state: "well",
    async request(request) {
      sent.push({ ...request, at: clock.monotonic() });
      if (way.state === "dead") return new Promise(() => {});
      if (way.state === "cut") return lost();
      const fate = request.method === "PUT" ? fates.shift() : undefined;
      if (fate === "lost") return lost();
      if (typeof fate === "object" && "after" in fate) fate.after();
      const answer = await through.request(request);
      if (fate === "answer lost") return lost();
      if (typeof fate === "object" && "answersAfterMs" in fate) await clock.sleep(fate.answersAfterMs);
      return answer;
    },
  };
  return way;
}

/** Leads straight to them, without a network. */
export function apiOf(leases: StandInLeases): Pick<Api, "request"> {
  return {
    async request({ method, path, body = "" }) {
      const { status, json } = leases.answer(method, path.split("/").at(-1) ?? "", body);
      return { status, headers: {}, body: Buffer.from(JSON.stringify(json)) };
    },
  };
}
