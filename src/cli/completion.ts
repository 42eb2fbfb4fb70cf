import { CommandError } from "../errors.ts";
import type { Command, Run } from "./command.ts";

/** A word that may come next, and what it means. */
interface Word {
  readonly word: string;
  readonly meaning: string;
}

/** What may follow a command, or the first word of one. */
interface Place {
  /** The words before it; empty at the beginning. */
  readonly after: string;
  readonly words: readonly Word[];
  /** Names of files may follow, too. */
  readonly files: boolean;
}

/** Prints what makes a shell complete the program's command line, made from the table of commands. */
export function createCompletion(commands: readonly Command[]): Run {
  return async (args, io) => {
    const [shell = ""] = args.operands;
    const script = scripts.get(shell);
    if (script === undefined) {
      throw new CommandError("usage", `"completion" knows these shells: ${[...scripts.keys()].join(", ")}.`);
    }
    io.stdout.write(script(placesOf(commands), valuesOf(commands)));
    return 0;
  };
}

const help: Word = { word: "--help", meaning: "print the help of it" };

/** The longest first: a shell takes the first that fits. */
function placesOf(commands: readonly Command[]): readonly Place[] {
  const groups = new Map<string, Word[]>();
  for (const { name, summary } of commands) {
    const [first = "", second] = name.split(" ");
    const group = groups.get(first) ?? [];
    groups.set(first, group);
    if (second !== undefined) group.push({ word: second, meaning: summary });
  }
  const first = [...groups.keys()].map((word): Word => {
    const command = commands.find(({ name }) => name === word);
    return { word, meaning: command?.summary ?? `${word} commands` };
  });
  const places = commands.map(({ name, options, operands }): Place => {
    const values = operands?.name.includes("|") === true ? operands.name.split("|") : [];
    return {
      after: name,
      words: [
        ...(groups.get(name) ?? []),
        ...values.map((word): Word => ({ word, meaning: name })),
        ...Object.entries(options).map(([option, row]): Word => ({
          word: `--${option}`,
          meaning: row.summary,
        })),
        help,
      ],
      files: operands?.name.startsWith("FILE") === true,
    };
  });
  const prefixes = [...groups]
    .filter(([word]) => !commands.some(({ name }) => name === word))
    .map(([after, words]): Place => ({ after, words: [...words, help], files: false }));
  const topics = [...first, { word: "variables", meaning: "every environment variable" }];
  return [
    ...[...places, ...prefixes].toSorted((one, other) => other.after.length - one.after.length),
    { after: "help", words: topics, files: false },
    {
      after: "",
      words: [
        ...first,
        { word: "help", meaning: "print the help" },
        help,
        { word: "--version", meaning: "print the version" },
      ],
      files: false,
    },
  ];
}

/** Options whose value is one of a few words. */
function valuesOf(commands: readonly Command[]): ReadonlyMap<string, readonly string[]> {
  const options = commands.flatMap((command) => Object.entries(command.options));
  return new Map(
    options.flatMap(([name, { value }]) =>
      value?.includes("|") === true ? [[`--${name}`, value.split("|")] as const] : [],
    ),
  );
}

type Script = (places: readonly Place[], values: ReadonlyMap<string, readonly string[]>) => string;

const scripts: ReadonlyMap<string, Script> = new Map([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
]);

/** `"token import" | "token import "*`, as bash and zsh match the words that were typed before. */
function pattern(after: string): string {
  return after === "" ? '""' : `"${after}" | "${after} "*`;
}

function bash(places: readonly Place[], values: ReadonlyMap<string, readonly string[]>): string {
  return `# Completion for bash: source <(presto-sidecar completion bash)
_presto_sidecar() {
  local current="\${COMP_WORDS[COMP_CWORD]}" typed="" words="" files="" index
  for ((index = 1; index < COMP_CWORD; index++)); do
    [[ \${COMP_WORDS[index]} == -* ]] || typed="\${typed:+$typed }\${COMP_WORDS[index]}"
  done
  case "\${COMP_WORDS[COMP_CWORD - 1]}" in
${[...values].map(([option, words]) => `    ${option}) mapfile -t COMPREPLY < <(compgen -W "${words.join(" ")}" -- "$current"); return ;;`).join("\n")}
  esac
  case "$typed" in
${places.map(({ after, words, files }) => `    ${pattern(after)}) words="${words.map(({ word }) => word).join(" ")}"${files ? " files=-f" : ""} ;;`).join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" $files -- "$current")
}
complete -F _presto_sidecar presto-sidecar
`;
}

/** Within single quotes, in every shell that is known here. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function zsh(places: readonly Place[], values: ReadonlyMap<string, readonly string[]>): string {
  const described = ({ word, meaning }: Word): string => quoted(`${word.replaceAll(":", "\\:")}:${meaning}`);
  return `#compdef presto-sidecar
# Completion for zsh: source <(presto-sidecar completion zsh)
_presto_sidecar() {
  local typed="" index
  local -a found
  for ((index = 2; index < CURRENT; index++)); do
    [[ \${words[index]} == -* ]] || typed="\${typed:+$typed }\${words[index]}"
  done
  case "\${words[CURRENT - 1]}" in
${[...values].map(([option, words]) => `    ${option}) compadd -- ${words.join(" ")}; return ;;`).join("\n")}
  esac
  case "$typed" in
${places.map(({ after, words, files }) => `    ${pattern(after)}) found=(${words.map(described).join(" ")})${files ? "; _files" : ""} ;;`).join("\n")}
  esac
  _describe -o presto-sidecar found
}
if [ "$funcstack[1]" = "_presto_sidecar" ]; then
  _presto_sidecar "$@"
else
  compdef _presto_sidecar presto-sidecar
fi
`;
}

function fish(places: readonly Place[], values: ReadonlyMap<string, readonly string[]>): string {
  const isThere = (after: string): string =>
    after === "" ? "__fish_use_subcommand" : `__presto_sidecar_typed ${quoted(after)}`;
  return `# Completion for fish: presto-sidecar completion fish | source
function __presto_sidecar_typed
    set -l words (commandline -opc | string match --invert -- '-*')
    set -l typed (string join ' ' -- $words[2..-1])
    for place in ${places
      .filter(({ after }) => after !== "")
      .map(({ after }) => quoted(after))
      .join(" ")}
        if string match --quiet -- "$place" "$typed"; or string match --quiet -- "$place *" "$typed"
            test "$place" = "$argv[1]"
            return
        end
    end
    return 1
end
function __presto_sidecar_value
    test (commandline -opc)[-1] = "$argv[1]"
end
complete -c presto-sidecar -f
${[...values].map(([option, words]) => `complete -c presto-sidecar -n "__presto_sidecar_value ${quoted(option)}" -a ${quoted(words.join(" "))}`).join("\n")}
${places
  .flatMap(({ after, words, files }) => [
    ...words.map(({ word, meaning }) => {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-a ${quoted(word)}`;
      return `complete -c presto-sidecar -n "${isThere(after)}" ${what} -d ${quoted(meaning)}`;
    }),
    ...(files ? [`complete -c presto-sidecar -n "${isThere(after)}" -F`] : []),
  ])
  .join("\n")}
`;
}
