import type { Io, Run } from "./command.ts";
import { openDemoStage, type DemoStage } from "./demo-stage.ts";
import { demonstrateTopUp, topUpBody, walletPath } from "./demo-top-up.ts";
import { bold, printError, printLine } from "./output.ts";

/** One wallet top-up through a real sidecar, told as it goes. */
export const demo: Run = async (args, io) => {
  printLine(
    io,
    bold(io, io.stdout, "A stand-in for Presto and a real sidecar start, on this machine alone."),
  );
  const stage = await openDemoStage(io);
  try {
    printLine(
      io,
      `   Presto's stand-in  ${stage.sandbox.url}  (TLS, with a certificate authority of its own)`,
    );
    printLine(io, `   the sidecar        ${stage.sidecarUrl}  (plain HTTP; it alone holds the token)`);
    const { reference, faults } = await demonstrateTopUp(io, stage);
    printLine(io, "");
    if (faults.length > 0) {
      for (const fault of faults) printError(io, fault);
      return 1;
    }
    printLine(io, bold(io, io.stdout, "The money moved exactly once."));
    printLine(
      io,
      "   Presto's stand-in saw the live token on all three calls. The app held no token, and sent none;",
    );
    printLine(io, "   its body arrived byte for byte, three decimals included.");
    const stays = io.stdout.isTTY === true && !args.flag("once");
    printCurlLines(io, stage, reference ?? "", stays);
    if (stays) await stopped(io.signal);
    return 0;
  } finally {
    await stage.close();
  }
};

function printCurlLines(
  io: Io,
  { sidecarUrl, adminUrl, sandbox }: DemoStage,
  reference: string,
  stays: boolean,
): void {
  printLine(io, "");
  printLine(
    io,
    bold(
      io,
      io.stdout,
      stays
        ? "Go on by hand, in another terminal:"
        : "To go on by hand, run the demo on a terminal, where it stays up. Then:",
    ),
  );
  printLine(io, `   curl -i ${sidecarUrl}${walletPath}/transaction/${reference}`);
  printLine(
    io,
    `   curl -i -H 'Content-Type: application/json' -d '${topUpBody}' ${sidecarUrl}${walletPath}/init`,
  );
  printLine(
    io,
    `   curl -i -H 'Content-Type: application/json' -d '{"transaction_reference":"…"}' ${sidecarUrl}${walletPath}/confirm`,
  );
  printLine(
    io,
    `   curl -i -X POST ${sidecarUrl}/api/institutions/v1/auth/token/issue   # refused: nobody revokes the token here`,
  );
  printLine(io, `   curl ${adminUrl}/status`);
  printLine(io, `   curl ${sandbox.controlUrl}/state   # what Presto's stand-in has seen`);
  if (stays) printLine(io, "Ctrl-C ends both.");
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
