import { once } from "node:events";

import { isObject, parseObject } from "../lib/json.ts";
import type { Sandbox } from "../sandbox/server.ts";
import type { Io, Run } from "./command.ts";
import { callPlainly, type DemoStage, openDemoStage, type PlainCall, type PlainReply } from "./demo-stage.ts";
import { requireSandbox } from "./sandbox.ts";
import { bold, printError, printLine } from "./terminal.ts";

/** One wallet top-up through a real sidecar, told as it goes. */
export const demo: Run = async (args, io) => {
  await requireSandbox();
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
    if (stays && !io.signal.aborted) await once(io.signal, "abort");
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

/** What the demo's app asks for; three decimals, which a body that was parsed and written anew would lose. */
const topUpBody =
  '{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":25.500,"currency":"LYD"}';

const walletPath = "/api/institutions/v1/wallet";

/** How the top-up went. */
export interface TopUp {
  readonly reference: string | undefined;
  /** What did not go as it must, in sentences; empty if the money moved exactly once and all else held. */
  readonly faults: readonly string[];
}

/** Makes one wallet top-up through the sidecar as an app would, and tells each step. */
export async function demonstrateTopUp(io: Io, { sandbox, sidecarUrl }: DemoStage): Promise<TopUp> {
  const faults: string[] = [];
  const step = async (title: string, call: PlainCall): Promise<PlainReply> => {
    printLine(io, "");
    printLine(io, bold(io, io.stdout, title));
    printLine(io, `   in   ${call.method} ${call.url}${call.body === undefined ? "" : `  ${call.body}`}`);
    const reply = await callPlainly(call);
    const outcome = textOf(reply.headers["presto-outcome"]);
    printLine(
      io,
      `   out  ${reply.status}  Presto-Outcome: ${outcome}  X-Request-Id: ${textOf(reply.headers["x-request-id"])}  ${reply.body.trim()}`,
    );
    if (reply.status !== 200 || outcome !== "answered")
      faults.push(`"${title}" was answered ${reply.status}, outcome ${outcome}.`);
    return reply;
  };

  const init = await step("1. The app asks for a top-up. Nothing moves yet.", {
    method: "POST",
    url: `${sidecarUrl}${walletPath}/init`,
    body: topUpBody,
  });
  const reference = referenceOf(init.body);
  if (reference === undefined)
    return { reference, faults: [...faults, "Presto's answer holds no transaction reference."] };

  const confirmBody = JSON.stringify({ transaction_reference: reference });
  await step("2. The app confirms it. The money moves.", {
    method: "POST",
    url: `${sidecarUrl}${walletPath}/confirm`,
    body: confirmBody,
  });
  await step("3. The app asks what became of it.", {
    method: "GET",
    url: `${sidecarUrl}${walletPath}/transaction/${reference}`,
  });
  return { reference, faults: [...faults, ...auditOf(sandbox, reference)] };
}

/** What Presto itself knows of it: the sandbox shares no code with the sidecar. */
function auditOf(sandbox: Sandbox, reference: string): string[] {
  const faults: string[] = [];
  const confirms = Object.entries(sandbox.state().confirms);
  const moves = confirms.reduce((sum, [, times]) => sum + times, 0);
  if (confirms.length !== 1 || confirms[0]?.[0] !== reference || moves !== 1)
    faults.push(`The money moved ${moves} times.`);
  const received = sandbox.received();
  if (received.length !== 3) faults.push(`Presto received ${received.length} calls, and three were made.`);
  for (const request of received) {
    const what = `${request.method} ${request.target}`;
    if (headerOf(request.rawHeaders, "authorization") !== `Bearer ${sandbox.token}`)
      faults.push(`${what} came without the token.`);
    if (request.target.endsWith("/init") && request.body.toString("utf8") !== topUpBody)
      faults.push(`${what} came with another body.`);
  }
  return faults;
}

function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  const index = rawHeaders.findIndex((text, place) => place % 2 === 0 && text.toLowerCase() === name);
  return index < 0 ? undefined : rawHeaders[index + 1];
}

function referenceOf(body: string): string | undefined {
  const data = parseObject(body)?.["data"];
  const reference = isObject(data) ? data["transaction_reference"] : undefined;
  return typeof reference === "string" && /^[A-Za-z0-9._~-]{1,128}$/.test(reference) ? reference : undefined;
}

function textOf(value: string | string[] | undefined): string {
  return value === undefined ? "none" : String(value);
}
