// Parses the AsyncAPI document named by the first argument and prints its problems as JSON.
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';

const source = await readFile(process.argv[2], 'utf8');
const { document, diagnostics } = await new Parser().parse(source);
const problems = diagnostics.map(({ severity, message, path }) => ({ severity, message, path: path.join('.') }));
console.log(JSON.stringify({ parsed: document !== undefined, problems }));
