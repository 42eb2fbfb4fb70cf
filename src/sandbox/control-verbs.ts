import type { IssuedToken } from "./account.ts";
import { readExpiry, tokenJson } from "./auth-endpoints.ts";
import type { FaultState, SetFault } from "./fault-book.ts";
import { faultKinds } from "./fault.ts";
import type { Fault } from "./fault.ts";
import { createForm, isRecord } from "./form.ts";
import { parseFault } from "./parse-fault.ts";
import { invalidReply, jsonReply, messageReply, type Reply } from "./reply.ts";
import { parseSettings, type SandboxSettings } from "./settings.ts";

/** What the verbs act on. */
export interface Controlled {
  state(): { readonly faults: readonly FaultState[] };
  reset(): void;
  mintToken(options: { readonly name?: string; readonly expiresAt?: number }): IssuedToken;
  revokeToken(): string | undefined;
  setFault(fault: Fault): SetFault;
  removeFault(id: number): boolean;
  clearFaults(): void;
  settings(): SandboxSettings;
  configure(settings: Partial<SandboxSettings>): void;
}

/** What a verb is called with. */
export interface ControlCall {
  /** Parsed JSON; undefined if there was no body. */
  readonly body: unknown;
  /** What stood in the place of `{id}`. */
  readonly id: string;
  /** The caller wants the bare text, for a file. */
  readonly plain: boolean;
}

/** A verb, as people read of it and as it is run; README's table is made from these. */
export interface ControlVerb {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly does: string;
  /** Example of a body, for verbs that read one. */
  readonly example?: string;
  readonly run: (sandbox: Controlled, call: ControlCall, now: number) => Reply;
}

/** Everything that the control endpoint can do. */
export const controlVerbs: readonly ControlVerb[] = [
  {
    method: "GET",
    path: "/",
    does: "Lists these verbs and the kinds of faults.",
    run: () =>
      jsonReply(200, {
        verbs: controlVerbs.map(({ method, path, does, example }) => ({ method, path, does, example })),
        faults: faultKinds,
      }),
  },
  {
    method: "GET",
    path: "/state",
    does: "Shows transactions, executed confirms by reference, requests by path, connections, tokens (as fingerprints) and faults.",
    run: (sandbox) => jsonReply(200, sandbox.state()),
  },
  {
    method: "POST",
    path: "/reset",
    does: "Puts everything back to the start: first token, password and settings, no transactions, counts or faults.",
    run: (sandbox) => {
      sandbox.reset();
      return jsonReply(200, sandbox.state());
    },
  },
  {
    method: "POST",
    path: "/revoke",
    does: "Kills the live token, and shows its fingerprint.",
    run: (sandbox) => jsonReply(200, { revoked: sandbox.revokeToken() ?? null }),
  },
  {
    method: "POST",
    path: "/token",
    does: "Makes a token as an issue does, so that every earlier one is dead. With `Accept: text/plain` the answer is the token alone.",
    example: '{"token_name": "mine", "token_expiration_date": "2030-01-31"}',
    run: mintToken,
  },
  {
    method: "GET",
    path: "/faults",
    does: "Lists the faults that are set.",
    run: (sandbox) => jsonReply(200, { faults: sandbox.state().faults }),
  },
  {
    method: "POST",
    path: "/faults",
    does: "Sets a fault, for all that match or the next `times`; shows its id.",
    example:
      '{"kind": "reset-after-acting", "method": "POST", "path": "/api/institutions/v1/wallet/confirm", "times": 1}',
    run: (sandbox, { body }) => {
      const parsed = parseFault(body);
      if ("errors" in parsed) return invalidReply(parsed.errors);
      return jsonReply(201, { id: sandbox.setFault(parsed.fault).id, fault: parsed.fault });
    },
  },
  {
    method: "DELETE",
    path: "/faults",
    does: "Removes every fault.",
    run: (sandbox) => {
      sandbox.clearFaults();
      return jsonReply(200, { faults: [] });
    },
  },
  {
    method: "DELETE",
    path: "/faults/{id}",
    does: "Removes one fault, and lets go what it holds.",
    run: (sandbox, { id }) =>
      sandbox.removeFault(Number(id))
        ? jsonReply(200, { faults: sandbox.state().faults })
        : messageReply(404, `There is no fault ${id}: it was removed, or is used up.`),
  },
  {
    method: "GET",
    path: "/settings",
    does: "Shows the settings.",
    run: (sandbox) => jsonReply(200, settingsJson(sandbox)),
  },
  {
    method: "POST",
    path: "/settings",
    does: "Changes those that are given: `allowedAddresses` (addresses and CIDRs, null for all), `unregistered` (json, html or reset: what others see), `rate` (null for none), `resetRevokesToken`.",
    example:
      '{"allowedAddresses": ["127.0.0.2"], "unregistered": "html", "rate": {"requests": 10, "perMs": 1000}}',
    run: (sandbox, { body }) => {
      const parsed = parseSettings(body);
      if ("errors" in parsed) return invalidReply(parsed.errors);
      sandbox.configure(parsed.settings);
      return jsonReply(200, settingsJson(sandbox));
    },
  },
];

function mintToken(sandbox: Controlled, { body, plain }: ControlCall, now: number): Reply {
  if (body !== undefined && !isRecord(body))
    return invalidReply({ body: ["The body must be a JSON object, or absent."] });
  const given = body ?? {};
  const form = createForm(given);
  const name = given["token_name"] === undefined ? {} : { name: form.text("token_name") };
  const expiry = given["token_expiration_date"] === undefined ? {} : { expiresAt: readExpiry(form, now) };
  const errors = form.errors();
  if (errors !== undefined) return invalidReply(errors);
  const issued = sandbox.mintToken({ ...name, ...expiry });
  if (plain) return { status: 201, headers: { "content-type": "text/plain" }, body: `${issued.token}\n` };
  return jsonReply(201, { data: tokenJson(issued) });
}

/** JSON has no undefined: what is not limited is null. */
function settingsJson(sandbox: Controlled): object {
  const { allowedAddresses = null, unregistered, rate = null, resetRevokesToken } = sandbox.settings();
  return { allowedAddresses, unregistered, rate, resetRevokesToken };
}
