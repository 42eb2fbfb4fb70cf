import type { Operation } from "./operation.ts";
import { fits, readTemplate, type Template } from "./template.ts";

const wallet = "/api/institutions/v1/wallet";

/** The calls of a wallet top-up: what apps may make unless more is configured. */
export const walletOperations: readonly Operation[] = [
  {
    name: "wallet.init",
    method: "POST",
    template: `${wallet}/init`,
    movesMoney: false,
  },
  {
    name: "wallet.confirm",
    method: "POST",
    template: `${wallet}/confirm`,
    movesMoney: true,
    reconcile: { member: "transaction_reference", path: `${wallet}/transaction/{reference}` },
  },
  {
    name: "wallet.transaction",
    method: "GET",
    template: `${wallet}/transaction/{transaction_reference}`,
    movesMoney: false,
  },
];

/** What the table says of a method and a path. `allow` is for the `Allow` field of the 405. */
export type Match =
  | { readonly kind: "allowed"; readonly operation: Operation }
  | { readonly kind: "method-not-allowed"; readonly allow: readonly string[] }
  | { readonly kind: "not-allowed" };

/** The table of the operations that may be called. */
export interface Operations {
  /**
   * @param method as the request line has it; methods are case-sensitive, and `HEAD` is not `GET`
   * @param path as `judgeTarget` gave it, without the query
   */
  match(method: string, path: string): Match;
}

interface Route {
  readonly template: Template;
  readonly methods: Map<string, Match>;
}

const notAllowed: Match = { kind: "not-allowed" };

/**
 * Makes the table. A path written out wins over a template that it fits, and of two that fit
 * the one listed first wins. Throws a TypeError at a template that `readTemplate` refuses:
 * configured ones must have been judged by it before.
 */
export function createOperations(operations: readonly Operation[]): Operations {
  const literals = new Map<string, Route>();
  const templates = new Map<string, Route>();
  for (const operation of operations) {
    const read = readTemplate(operation.template);
    if (!read.ok) throw new TypeError(`Operation ${operation.name}: ${read.fault}.`);
    const { template } = read;
    const table = template.pieces.length === 1 ? literals : templates;
    const key = template.pieces.join("{}");
    const route = table.get(key) ?? { template, methods: new Map<string, Match>() };
    table.set(key, route);
    if (!route.methods.has(operation.method)) {
      route.methods.set(operation.method, { kind: "allowed", operation });
    }
  }
  const patterns = [...templates.values()];

  return {
    match(method, path) {
      const literal = literals.get(path);
      const exact = literal?.methods.get(method);
      if (exact !== undefined) return exact;

      for (const pattern of patterns) {
        const found = pattern.methods.get(method);
        if (found !== undefined && fits(pattern.template, path)) return found;
      }
      const others = patterns.filter((pattern) => fits(pattern.template, path));
      if (literal !== undefined) others.unshift(literal);
      if (others.length === 0) return notAllowed;
      const allow = new Set(others.flatMap((route) => [...route.methods.keys()]));
      return { kind: "method-not-allowed", allow: [...allow] };
    },
  };
}
