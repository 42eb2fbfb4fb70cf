import { relative } from "node:path";

import { type Ban, bans } from "./bans.ts";

// oxlint publishes no types for plugins; this is the part of them that is used here.
interface SyntaxNode {
  readonly type: string;
}
interface Comment extends SyntaxNode {
  readonly value: string;
}
interface RuleContext {
  readonly cwd: string;
  readonly filename: string;
  readonly sourceCode: {
    isGlobalReference(node: SyntaxNode): boolean;
    getAllComments(): readonly Comment[];
  };
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

const vagueName = /(^|[-./])(utils?|helpers?|common|managers?|services?|misc|stuff|index)(?=[-./])/;

const names: Rule = {
  create: (context) => ({
    Program: (node) => {
      const path = relative(context.cwd, context.filename);
      if (vagueName.test(path)) {
        context.report({ node, message: "A name that fits anything. Name the thing that this is." });
      }
      // unicorn/filename-case sees the file's own name only.
      if (/[^a-z0-9./-]/.test(path.slice(0, path.lastIndexOf("/") + 1))) {
        context.report({ node, message: "A folder's name is in kebab-case." });
      }
    },
  }),
};

const directives: Rule = {
  create: (context) => ({
    Program: () => {
      for (const comment of context.sourceCode.getAllComments()) {
        if (!/^\s*oxlint-disable/.test(comment.value) || /\s--\s+\S+\s+\S+/.test(comment.value)) continue;
        context.report({ node: comment, message: 'No reason is given. End it with " -- " and the reason.' });
      }
    },
  }),
};

/** The rules of the house as an oxlint plugin: `house/NAME` for each row of bans.ts, and two that no selector can say. */
export default {
  meta: { name: "house" },
  rules: {
    ...Object.fromEntries(Object.entries(bans).map(([name, ban]) => [name, createRule(ban)])),
    "telling-names": names,
    "reasoned-directives": directives,
  },
};
