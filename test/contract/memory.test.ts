import { createMemoryPlace } from "../support/memory-backend.ts";
import { describeBackend } from "./backend.ts";

// The simplest places that keep the contract: what fails here, and not for a real one, is the suite's fault.
for (const tells of [true, false]) {
  describeBackend(
    tells ? "memory" : "memory that tells of nothing",
    async () => {
      const place = createMemoryPlace({ tells });
      return {
        view: place.view,
        spoil: async (bytes) => place.put(Buffer.from(bytes, "latin1")),
        dispose: async () => {},
      };
    },
    { watch: tells, lock: tells, identity: false },
  );
}
