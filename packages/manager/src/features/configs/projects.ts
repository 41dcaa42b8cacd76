import { ProblemError } from '@sbox/core';
import { defaultProject } from '@sbox/protocol';
import type { Repositories } from '../../database/store.ts';
import type { Config } from './configs-repository.ts';

const goTogether = (used: string, project: string): boolean => used === defaultProject || used === project;

/** A config uses things of its own project and of `default`. @throws ProblemError `project.mismatch` */
export async function refuseForeignParts(
  { subscriptions, templates }: Pick<Repositories, 'subscriptions' | 'templates'>,
  config: Pick<Config, 'name' | 'project' | 'subscriptions' | 'template'>,
): Promise<void> {
  const template = await templates.find(config.template.name);
  const used = [
    ...(await subscriptions.findMany(config.subscriptions)).map((one) => ({ ...one, kind: 'subscription' })),
    ...(template ? [{ ...template, kind: 'template' }] : []),
  ];
  const foreign = used.find(({ project }) => !goTogether(project, config.project));
  if (!foreign) return;
  const { kind, name, project } = foreign;
  throw new ProblemError(
    'project.mismatch',
    `${config.name} is of the project ${config.project}, and its ${kind} ${name} of ${project}`,
  );
}

/** What is used does not leave who uses it. @throws ProblemError `project.mismatch` */
export function refuseApart(name: string, project: string, users: readonly Pick<Config, 'project'>[]): void {
  if (users.every((user) => goTogether(project, user.project))) return;
  throw new ProblemError('project.mismatch', `${name} is used by configs that are not of the project ${project}`);
}
