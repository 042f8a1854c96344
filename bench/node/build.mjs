// The work of tools/fixture/compiler.py with the libraries that Node people take for it:
// read every seed, split the frontmatter, parse the Markdown, cut the sections, validate, write.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import matter from "gray-matter";
import MarkdownIt from "markdown-it";

const [root, schemas, output] = process.argv.slice(2);
const ajv = new Ajv2020({ allErrors: true, strictTypes: false });
// They refer to one another by the names of their files.
for (const name of readdirSync(schemas).filter((name) => name.endsWith(".schema.json"))) {
  ajv.addSchema(JSON.parse(readFileSync(join(schemas, name), "utf8")), name);
}
const checkFrontmatter = ajv.getSchema("frontmatter.schema.json");
const checkFixture = ajv.getSchema("fixture.schema.json");
const markdown = new MarkdownIt("commonmark");

function compile(slug) {
  const { data, content } = matter(readFileSync(join(root, slug + ".md"), "utf8"));
  if (!checkFrontmatter(data)) throw new Error(slug + ": " + ajv.errorsText(checkFrontmatter.errors));
  const lines = content.split("\n");
  const tokens = markdown.parse(content, {});
  const heads = tokens.flatMap((token, index) =>
    token.type === "heading_open" && token.tag === "h2"
      ? [{ name: tokens[index + 1].content, from: token.map[0], to: token.map[1] }]
      : [],
  );
  const names = heads.map((head) => head.name).join();
  if (names !== "Context,Solution,Proof") throw new Error(slug + ": sections " + names);
  const text = (n) => lines.slice(heads[n].to, heads[n + 1]?.from).join("\n").trim();
  return { slug, title: data.title, context: text(0), solution: text(1), tags: data.tags,
           agent_model: data.agent_model, agent_version: data.agent_version, proven_with: {} };
}

const slugs = readdirSync(root, { recursive: true })
  .filter((name) => name.endsWith(".md"))
  .map((name) => name.slice(0, -3))
  .sort();
const traces = slugs.map(compile);
if (!checkFixture(traces)) throw new Error(ajv.errorsText(checkFixture.errors));
writeFileSync(output, JSON.stringify(traces, null, 2) + "\n");
