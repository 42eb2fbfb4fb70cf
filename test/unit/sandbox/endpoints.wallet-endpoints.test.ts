import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../../src/sandbox/server.ts";
import { call, confirm, init, order, prefix } from "./client.ts";

const initPath = `${prefix}/wallet/init`;

describe("wallet endpoints", () => {
  let sandbox: Sandbox;
  let now: number;
  beforeEach(async () => {
    now = Date.parse("2026-03-10T12:00:00Z");
    sandbox = createSandbox({ now: () => now, voidAfterMs: 60_000 });
    await sandbox.start();
  });
  afterEach(() => sandbox.close());

  const show = (reference: string) => call(sandbox, `${prefix}/wallet/transaction/${reference}`);

  it("init answers with a reference and the customer, and moves nothing", async () => {
    const answer = await call(sandbox, initPath, { body: order });
    expect(answer.status).toBe(200);
    const { transaction_reference: reference } = answer.json.data;
    expect(reference).toMatch(/^TRX\d{9}$/);
    expect(answer.json.data.customer).toEqual({ ...order.customer, name: "Test Customer" });
    expect(sandbox.state().confirms).toEqual({});
    expect((await show(reference)).json.data).toMatchObject({
      transaction_reference: reference,
      status: "pending",
    });
    expect((await show(reference)).json.data).not.toHaveProperty("amount");
  });

  it("amounts are JSON numbers with three decimals, however they were written", async () => {
    for (const [sent, answered] of [
      ["200", "200.000"],
      ["10.50", "10.500"],
      ["0.001", "0.001"],
      ["1e2", "100.000"],
      ["1234567.891", "1234567.891"],
    ]) {
      const body = JSON.stringify(order).replace("10.5", sent ?? "");
      const started = await call(sandbox, initPath, { body });
      expect(started.text).toContain(`"amount":${answered},`);
      const reference = started.json.data.transaction_reference;
      expect((await confirm(sandbox, reference)).text).toContain(`"amount":${answered},`);
      expect((await show(reference)).text).toContain(`"amount":${answered},`);
    }
  });

  it("after confirm the money has moved, and the transaction says so", async () => {
    const reference = await init(sandbox);
    now += 5000;
    const answer = await confirm(sandbox, reference);
    expect(answer.status).toBe(200);
    const moved = {
      transaction_reference: reference,
      amount: 10.5,
      currency: "LYD",
      timestamp: "2026-03-10T12:00:05+00:00",
    };
    expect(answer.json.data).toEqual({ ...moved, customer: { ...order.customer, name: "Test Customer" } });
    expect((await show(reference)).json.data).toMatchObject({ ...moved, status: "completed" });
    expect(sandbox.state().confirms).toEqual({ [reference]: 1 });
  });

  it("a second confirm moves the money again, and both are counted", async () => {
    const [once, twice] = [await init(sandbox), await init(sandbox)];
    await confirm(sandbox, once);
    await confirm(sandbox, twice);
    expect((await confirm(sandbox, twice)).status).toBe(200);
    expect(sandbox.state().confirms).toEqual({ [once]: 1, [twice]: 2 });
  });

  it("a confirm that was refused is not counted", async () => {
    const reference = await init(sandbox);
    expect((await confirm(sandbox, reference, { headers: { authorization: "Bearer wrong" } })).status).toBe(
      401,
    );
    expect((await call(sandbox, `${prefix}/wallet/confirm`, { body: {} })).status).toBe(422);
    expect(sandbox.state().confirms).toEqual({});
  });

  it("an unconfirmed transaction is void after a while, and can't be confirmed any more", async () => {
    const reference = await init(sandbox);
    now += 59_999;
    expect((await show(reference)).json.data.status).toBe("pending");
    now += 1;
    expect((await show(reference)).json.data).toMatchObject({
      status: "failed",
      failure_reason: expect.any(String),
    });
    const late = await init(sandbox);
    now += 60_000;
    expect((await confirm(sandbox, late)).status).toBe(422);
    expect(sandbox.state().confirms).toEqual({});
  });

  it("a completed transaction stays completed", async () => {
    const reference = await init(sandbox);
    await confirm(sandbox, reference);
    now += 24 * 60 * 60 * 1000;
    expect((await show(reference)).json.data.status).toBe("completed");
  });

  it("an unknown reference is 404 in JSON", async () => {
    expect((await show("TRX000000000")).json).toEqual({ message: "Transaction not found" });
    expect((await confirm(sandbox, "TRX000000000")).status).toBe(404);
  });

  it("the query is no part of the path", async () => {
    const reference = await init(sandbox);
    expect((await show(`${reference}?a=b`)).status).toBe(200);
  });

  it.each([
    ["customer", { customer: undefined }],
    ["customer", { customer: "218912345678" }],
    ["customer.identifier_type", { customer: { identifier_type: "iban", identifier: "1" } }],
    ["customer.identifier", { customer: { identifier_type: "uid" } }],
    ["customer.identifier", { customer: { identifier_type: "phone", identifier: "+218912345678" } }],
    ["customer.identifier", { customer: { identifier_type: "phone", identifier: "0912345678" } }],
    ["customer.identifier", { customer: { identifier_type: "email", identifier: "nobody" } }],
    ["amount", { amount: undefined }],
    ["amount", { amount: "10.500" }],
    ["amount", { amount: 0 }],
    ["amount", { amount: -1 }],
    ["amount", { amount: 1.0001 }],
    ["amount", { amount: 1e16 }],
    ["currency", { currency: undefined }],
    ["currency", { currency: "EUR" }],
  ])("bad %s is 422 and starts nothing: %o", async (field, changes) => {
    const answer = await call(sandbox, initPath, { body: { ...order, ...changes } });
    expect(answer.status).toBe(422);
    expect(Object.keys(answer.json.errors)).toEqual([field]);
    expect(answer.json.message).toBe(answer.json.errors[field][0]);
    expect(sandbox.state().transactions).toEqual([]);
  });

  it("everything that is wrong is said at once", async () => {
    const answer = await call(sandbox, initPath, { body: {} });
    expect(Object.keys(answer.json.errors).toSorted()).toEqual(["amount", "currency", "customer"]);
  });

  it("each way to name a customer is taken", async () => {
    for (const customer of [
      { identifier_type: "phone", identifier: "218912345678" },
      { identifier_type: "email", identifier: "a@b.example" },
      { identifier_type: "uid", identifier: "u-1" },
    ]) {
      expect((await call(sandbox, initPath, { body: { ...order, customer } })).status).toBe(200);
    }
  });
});
