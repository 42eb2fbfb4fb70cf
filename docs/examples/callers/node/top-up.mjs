// Tops a wallet up through the sidecar. Usage: node top-up.mjs [http://localhost:7380 | /path/of/the.sock]
import { setTimeout as sleep } from "node:timers/promises";

const base = process.argv[2] ?? "http://localhost:7380";
const socketPath = base.startsWith("/") ? base : undefined;
// Node's own fetch knows no Unix sockets; that of the package `undici`, which it is made of, does.
const undici = socketPath === undefined ? undefined : await import("undici");
const send = undici?.fetch ?? fetch;
const dispatcher = undici && new undici.Agent({ connect: { socketPath } });

/** Posts it, and the very same again while nothing reached Presto. Undefined: nobody knows what became of it. */
async function post(path, body) {
  const url = new URL(`/api/institutions/v1/wallet${path}`, socketPath ? "http://localhost" : base);
  const headers = { "Content-Type": "application/json" };
  for (let left = 5; ; left -= 1) {
    let reply;
    try {
      const signal = AbortSignal.timeout(25_000); // longer than PRESTO_TIMEOUT
      const answer = await send(url, {
        method: "POST",
        body,
        headers,
        redirect: "manual",
        signal,
        dispatcher,
      });
      reply = { status: answer.status, headers: answer.headers, text: await answer.text() };
    } catch {
      return undefined;
    }
    const outcome = reply.headers.get("Presto-Outcome");
    if (outcome !== "not-sent" || problem(reply).retryable !== true || left <= 1) return reply;
    await sleep(1_000 * Number(reply.headers.get("Retry-After") ?? 1));
  }
}

/** What the sidecar says; empty if the answer is Presto's own. */
function problem(reply) {
  return reply.headers.get("Content-Type") === "application/problem+json" ? JSON.parse(reply.text) : {};
}

/** What became of a confirm: paid, refused, not-sent, or ask. */
function endOf(reply) {
  if (reply === undefined) return "ask";
  const outcome = reply.headers.get("Presto-Outcome");
  const told = reply.headers.get("Presto-Transaction") ?? problem(reply).transaction?.status;
  if (told === "completed") return "paid";
  const kind = Math.floor(reply.status / 100);
  if (outcome === "answered" && told === undefined && kind === 2) return "paid";
  if (outcome === "answered" && told === undefined && kind === 4) return "refused";
  return outcome === "not-sent" && reply.status !== 409 ? "not-sent" : "ask";
}

const order =
  '{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":25.500,"currency":"LYD"}';
const init = await post("/init", order);
if (init?.status !== 200) throw new Error("no transaction: nothing has moved");
const reference = JSON.parse(init.text).data.transaction_reference; // keep it where it outlives this process
console.log(endOf(await post("/confirm", JSON.stringify({ transaction_reference: reference }))), reference);
