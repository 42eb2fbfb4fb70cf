// An example app: tops up a wallet through the sidecar every five seconds, and prints what it was told. It knows no
// token, no certificate and no host but its own.
const base = `${process.env.PRESTO_BASE_URL}/api/institutions/v1/wallet`;

async function call(path, body) {
  const reply = await fetch(`${base}/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    // Longer than PRESTO_TIMEOUT (20 s): the sidecar then says what became of the call, where a time-out says nothing.
    signal: AbortSignal.timeout(25_000),
  });
  console.log(path, reply.status, reply.headers.get("Presto-Outcome"));
  return reply.json();
}

async function topUp() {
  const customer = { identifier_type: "phone", identifier: "218912345678" };
  const { data, detail } = await call("init", { customer, amount: 25.5, currency: "LYD" });
  if (data === undefined) throw new Error(detail);
  await call("confirm", { transaction_reference: data.transaction_reference });
}

process.once("SIGTERM", () => process.exit(0));
for (;;) {
  await topUp().catch((error) => console.error(error.message));
  await new Promise((resolve) => setTimeout(resolve, 5000));
}
