import { systemClock } from "../../src/clock.ts";
import { ignore } from "../../src/lib/events.ts";
import type { Holding } from "../../src/store/contract.ts";
import { openSecretBackend } from "../../src/store/kubernetes/secret.ts";
import type { PlaceUnderTest } from "./backend.ts";

/** An API server, real or not, and what is done to its Secrets past the adapter. */
export interface SecretPlaces {
  readonly namespace: string;
  readonly kubeconfig: string;
  prepare(name: string): Promise<void>;
  spoil(name: string, bytes: Buffer): Promise<void>;
  remove(name: string): Promise<void>;
}

/** The suite asks for a view at once, and a backend is opened by a promise: so many are opened before. */
const views = 4;
let serial = 0;

/**
 * Makes a new Secret's place for each test.
 * @param find asked for each, when the server is up
 */
export function createSecretPlaces(find: () => SecretPlaces): () => Promise<PlaceUnderTest> {
  return async () => {
    const places = find();
    serial += 1;
    const name = `place-${serial}`;
    await places.prepare(name);
    const open = (holds: Holding) =>
      openSecretBackend(
        {
          namespace: places.namespace,
          name,
          key: "record",
          holds,
          cluster: { kubeconfig: [places.kubeconfig], host: undefined, port: undefined, environment: {} },
        },
        { clock: systemClock, emit: ignore },
      );
    const openAll = (holds: Holding) => Promise.all(Array.from({ length: views }, () => open(holds)));
    const ready = { token: await openAll("token"), credentials: await openAll("credentials") };
    const all = [...ready.token, ...ready.credentials];
    return {
      view(holds) {
        const view = ready[holds].pop();
        if (view === undefined) throw new Error(`there are ${views} views`);
        return view;
      },
      spoil: (bytes) => places.spoil(name, Buffer.from(bytes, "latin1")),
      async dispose() {
        for (const each of all) each.close();
        await places.remove(name);
      },
    };
  };
}
