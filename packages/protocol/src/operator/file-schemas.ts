import * as z from 'zod/mini';
import { projectSchema } from '../bounds.ts';
import { templateSchema } from '../pipeline/template.ts';
import { scopeSchema } from '../setting-scope.ts';
import { clientRulesSchema } from './client-rules.ts';
import { settings } from './settings.ts';

/** One scope of settings as a file: the address of the route and its body in one. */
export const settingsFileSchema = z.strictObject({ scope: scopeSchema, values: settings.replace.body.shape.values });

/** The rules that all clients share; there is one file of them. */
export const clientRulesFileSchema = z.strictObject({ name: z.literal('shared'), rules: clientRulesSchema });

/** A template with the project that it belongs to, which is `default` where none is said. */
export const templateFileSchema = z.extend(templateSchema, { project: projectSchema });
