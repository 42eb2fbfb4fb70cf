import type { SimSidecar } from "./sim-sidecar.ts";

/** What a process has to finish in when it is asked to end (PRESTO_DRAIN_MAX). */
const drainMs = 25_000;

/** SIGTERM: what is under way may be finished, within the time for it; then the process ends. */
export function endInOrder({ process, lifecycle }: SimSidecar): void {
  const end = (): void => process.kill("it was asked to end, and has");
  const last = process.clock.after(drainMs, end);
  if (lifecycle === undefined) {
    end();
    return;
  }
  void lifecycle.drain().then(() => {
    last.cancel();
    // A moment for whoever looks at what it leaves.
    process.deliver(1, end);
  });
}
