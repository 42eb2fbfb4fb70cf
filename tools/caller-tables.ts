import { readFileSync } from "node:fs";

import { problems } from "../src/errors.ts";

// What callers do with a reply, for README.md and docs/callers.md, and the programs of the latter.

/** Statuses of the replies that the sidecar makes and for which that holds. */
function statuses(holds: (problem: (typeof problems)[keyof typeof problems]) => boolean): string {
  const found = Object.values(problems)
    .filter((problem) => holds(problem))
    .map(({ status }) => status);
  return [...new Set(found)].toSorted((one, other) => one - other).join(", ");
}

/**
 * Which status at which outcome of which operation means what.
 * @param docs where the pages are, from the page that it stands in
 */
export function decisionRows(docs: string): readonly [readonly string[], readonly (readonly string[])[]] {
  const refused = problems["duplicate-confirm"].status;
  return [
    ["outcome", "status", "a query, or `init`", "`confirm`, and whatever moves money"],
    [
      ["`answered`", "2xx", "done", "without `Presto-Transaction`: paid, book it"],
      [
        "`answered`",
        "4xx",
        "mend the call, or give it up",
        "without `Presto-Transaction`: refused, nothing moved",
      ],
      [
        "`answered`, with `Presto-Transaction`",
        "any",
        "–",
        `\`completed\`: paid, book it. Else: never pay by another way, and [ask before you send the same again](${docs}money.md#what-a-caller-does)`,
      ],
      ["`answered`", "5xx", "send again later", "as the line above: it always has `Presto-Transaction`"],
      [
        "`not-sent`",
        statuses(({ mayRepeat }) => mayRepeat),
        "send again, after `Retry-After`",
        "send the same again, after `Retry-After`",
      ],
      [
        "`not-sent`",
        `${refused} \`duplicate-confirm\``,
        "–",
        "the same transaction is under way, has no known end, or is paid: see `transaction` in the reply",
      ],
      [
        "`not-sent`",
        statuses(({ mayRepeat, status }) => !mayRepeat && status !== refused),
        "mend the call",
        "mend the call",
      ],
      [
        "`unknown`, or no reply at all",
        `${statuses(({ outcome }) => outcome === "unknown")}, –`,
        "send again: a query does nothing, an `init` moves nothing",
        "see `transaction.status` in the reply; where it is not `completed`: as above",
      ],
    ],
  ];
}

/** The programs of docs/callers.md by the names of their folders, and what GitHub calls their language. */
const languages: Readonly<Record<string, readonly [file: string, language: string]>> = {
  requests: ["top_up.py", "python"],
  httpx: ["top_up.py", "python"],
  node: ["top-up.mjs", "js"],
  java: ["TopUp.java", "java"],
  spring: ["TopUp.java", "java"],
  go: ["main.go", "go"],
  csharp: ["Program.cs", "csharp"],
  php: ["top-up.php", "php"],
  curl: ["top-up.sh", "sh"],
};

/** A block for each program: it stands in the page as it is run. */
export const callerPrograms: readonly (readonly [name: string, generate: () => string])[] = Object.entries(
  languages,
).map(([name, [file, language]]) => [
  `caller-${name}`,
  () =>
    [
      `\`\`\`${language}`,
      readFileSync(`docs/examples/callers/${name}/${file}`, "utf8").trimEnd(),
      "```",
    ].join("\n"),
]);
