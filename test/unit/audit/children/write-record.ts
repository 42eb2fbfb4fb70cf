import { openAudit } from "../../../../src/audit/open.ts";
import { systemClock } from "../../../../src/clock.ts";
import { begun, refused } from "../../../support/audit-entries.ts";

// Writes money calls to the record at the path given, one after the other, and tells each that is durable, until it is killed.

const [path = ""] = process.argv.slice(2);

const record = await openAudit(
  {
    place: { kind: "file", path, mode: 0o600 },
    whenUnavailable: "refuse",
    writer: "sidecar",
    lockWaitMs: 0,
    mostBytes: 20_000,
  },
  {
    clock: systemClock,
    emit() {},
    stream: () => process.stdout,
    onFound: (open) => process.stdout.write(`found ${open.map(({ call }) => call).join(",")}\n`),
  },
).catch((error: unknown) => {
  process.stdout.write(`refused ${error instanceof Error && "code" in error ? String(error.code) : ""}\n`);
  process.exit(75);
});
process.stdout.write("open\n");

for (let call = 0; ; call += 1) {
  const id = `${process.pid}-${call}`;
  await new Promise<void>((resolve, reject) => {
    record.announce(begun(id), refused(id), (error) => (error === undefined ? resolve() : reject(error)));
  });
  process.stdout.write(`durable ${id}\n`);
  record.note({ type: "call-ended", call: id, outcome: "answered", open: false });
}
