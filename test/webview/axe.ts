/** axe-core in a page. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

/**
 * What axe finds: the rule, and the first element that breaks it.
 * @param within a selector; the whole page unless told
 * @param rules all unless told
 */
export async function axeFinds(page: Page, within?: string, rules?: readonly string[]): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) {
    const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    await page.evaluate(source);
  }
  return page.evaluate(
    async ([selector, values]) => {
      interface Axe {
        run(
          context: Document | string,
          options: object,
        ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
      }
      const { axe } = window as unknown as { axe: Axe };
      const found = await axe.run(selector ?? document, {
        resultTypes: ['violations'],
        ...(values && { runOnly: { type: 'rule', values } }),
      });
      return found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
    },
    [within, rules] as const,
  );
}
