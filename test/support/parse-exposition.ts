/** One line of a Prometheus text: labels and value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

export interface Exposition {
  readonly families: ReadonlyMap<string, Family>;
  /** The value under exactly these labels; undefined if there is no such line. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

const nameForm = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const labelForm = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"`;
const sampleLine = new RegExp(`^(${nameForm})(?:\\{(${labelForm}(?:,${labelForm})*)\\})? (\\S+)$`);
const commentLine = new RegExp(`^# (HELP|TYPE) (${nameForm}) (.+)$`);
const types = new Set(["counter", "gauge", "histogram", "summary", "untyped"]);

/**
 * Reads the Prometheus text format 0.0.4 strictly, as its documentation has it.
 * @throws Error that names the line which breaks a rule
 */
export function parseExposition(text: string): Exposition {
  if (!text.endsWith("\n")) throw new Error("the last line has no line end");
  const families = new Map<string, Family>();
  const helps = new Map<string, string>();
  const seen = new Set<string>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, kind, about = "", rest = ""] = commentLine.exec(line) ?? [];
    if (kind === "HELP") {
      helps.set(about, rest);
    } else if (kind === "TYPE") {
      if (!types.has(rest) || families.has(about)) throw new Error(`bad or second type: ${line}`);
      families.set(about, { type: rest, help: helps.get(about) ?? "", samples: [] });
    } else {
      const sample = parseSample(line);
      const key = JSON.stringify([sample.name, sample.labels]);
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      seen.add(key);
      familyOf(families, sample.name, line).samples.push(sample);
    }
  }
  for (const [name, family] of families) if (family.type === "histogram") checkHistogram(name, family);
  return { families, value: (name, labels = {}) => find(families, name, labels) };
}

function parseSample(line: string): Sample {
  const [, name, labelText = "", valueText] = sampleLine.exec(line) ?? [];
  if (name === undefined || valueText === undefined) throw new Error(`not a sample: ${line}`);
  const value = valueText === "+Inf" ? Infinity : Number(valueText);
  if (Number.isNaN(value)) throw new Error(`not a number: ${line}`);
  const labels: Record<string, string> = {};
  for (const [, label = "", labelValue = ""] of labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    if (label in labels) throw new Error(`label twice: ${line}`);
    labels[label] = labelValue;
  }
  return { name, labels, value };
}

function familyOf(families: ReadonlyMap<string, Family>, name: string, line: string): Family {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ""));
  if (family === undefined) throw new Error(`no type line before: ${line}`);
  if (family.type === "counter" && !name.endsWith("_total"))
    throw new Error(`a counter must end in _total: ${line}`);
  return family;
}

/** Buckets must rise, and the last one must be the count. */
function checkHistogram(name: string, { samples }: Family): void {
  let last = 0;
  for (const sample of samples) {
    if (sample.name === `${name}_bucket`) {
      if (sample.labels["le"] === "0.005") last = 0;
      if (sample.value < last) throw new Error(`buckets of ${name} fall`);
      last = sample.value;
    } else if (sample.name === `${name}_count` && sample.value !== last) {
      throw new Error(`the count of ${name} is not its last bucket`);
    }
  }
}

function find(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>>,
): number | undefined {
  const wanted = spelled(labels);
  for (const { samples } of families.values()) {
    const found = samples.find((sample) => sample.name === name && spelled(sample.labels) === wanted);
    if (found !== undefined) return found.value;
  }
  return undefined;
}

function spelled(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return pairs.toSorted((one, other) => (one < other ? -1 : 1)).join();
}
