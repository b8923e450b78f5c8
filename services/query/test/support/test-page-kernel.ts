/** The page kernel for tests, compiled from the sources of this tree. */
import { compileKernel } from '../../../../scripts/compile-kernel.ts';
import { PageKernel } from '../../src/reads/page-kernel/page-kernel.ts';

export const testPageKernel = new PageKernel(await compileKernel('services/query'));
