import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = globSync(["*.md", "docs/**/*.md"], { cwd: root }).toSorted();

/** Without what is no text: code in lines of its own or between backticks. */
function textOf(page: string): string {
  return readFileSync(join(root, page), "utf8")
    .replaceAll(/^```[\s\S]*?^```$/gm, "")
    .replaceAll(/`[^`\n]*`/g, "");
}

/** Links to other places of the project: the page, and the heading within it or an empty text. */
function linksOf(page: string): { readonly path: string; readonly heading: string }[] {
  return [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [path = "", heading = ""] = link.split("#", 2);
      return { path: path === "" ? page : normalize(join(dirname(page), path)), heading };
    });
}

/** As GitHub makes it of a heading. */
function anchorsOf(page: string): string[] {
  const text = readFileSync(join(root, page), "utf8").replaceAll(/^```[\s\S]*?^```$/gm, "");
  return [...text.matchAll(/^#+ +(.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-"),
  );
}

describe("the pages", () => {
  it("link to what is there", () => {
    const lost = pages.flatMap((page) =>
      linksOf(page)
        .filter(({ path, heading }) => {
          if (!existsSync(join(root, path))) return true;
          return heading !== "" && !anchorsOf(path).includes(heading);
        })
        .map(({ path, heading }) => `${page}: ${path}#${heading}`),
    );
    expect(lost).toEqual([]);
  });

  it("are two clicks from the README", () => {
    const one = new Set(linksOf("README.md").map(({ path }) => path));
    const two = new Set([...one].filter((path) => path.endsWith(".md")).flatMap((page) => linksOf(page)));
    const reached = new Set(["README.md", ...one, ...[...two].map(({ path }) => path)]);
    expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  });

  it("begin with a README of at most 15 KB", () => {
    expect(readFileSync(join(root, "README.md")).length).toBeLessThanOrEqual(15 * 1024);
  });
});
