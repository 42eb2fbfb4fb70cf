import { type Ban, bans } from "./bans.ts";

// oxlint publishes no types for plugins; this is the part of them that is used here.
interface SyntaxNode {
  readonly type: string;
}
interface RuleContext {
  readonly sourceCode: { isGlobalReference(node: SyntaxNode): boolean };
  report(problem: { readonly node: SyntaxNode; readonly message: string }): void;
}
interface Rule {
  create(context: RuleContext): Record<string, (node: SyntaxNode) => void>;
}

function createRule(ban: Ban): Rule {
  return {
    create: (context) => ({
      [ban.selector]: (node) => {
        if (ban.global === true && node.type === "Identifier" && !context.sourceCode.isGlobalReference(node))
          return;
        context.report({ node, message: ban.message });
      },
    }),
  };
}

/** The bans of the house as an oxlint plugin: `house/NAME` for each row of bans.ts. */
export default {
  meta: { name: "house" },
  rules: Object.fromEntries(Object.entries(bans).map(([name, ban]) => [name, createRule(ban)])),
};
