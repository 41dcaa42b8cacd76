import type { RenderSettings } from '@sbox/engines/sing-box/render';
import type { ConfigTest, JsonPatch, Pipeline } from '@sbox/protocol/pipeline';

/** A subscription as a recipe names it: something to read, or the text itself. */
export interface RecipeSource {
  /** What queries and explanations call it. */
  readonly name?: string;
  /** A file, a URL, or `-` for standard input. */
  readonly source: string;
  /** Stands in place of what would be read. */
  readonly text?: string;
  readonly user_agent?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A template that comes with the program, or a file. */
export interface TemplateChoice {
  readonly name: string;
  readonly file?: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What a config is made from, with no manager: the words are those of the manager's recipes. Paths are absolute. */
export interface Recipe {
  readonly subscriptions: readonly RecipeSource[];
  readonly pipeline: Pipeline;
  /** Without one, `settings` decide. */
  readonly template?: TemplateChoice;
  readonly settings: RenderSettings;
  readonly patch: JsonPatch;
  readonly tests: readonly ConfigTest[];
  /** A test that fails keeps the config from being written. */
  readonly tests_block: boolean;
}

export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);
