/** A program that takes leftover time only, as a replay does, and does nothing but run. */
import { takeLeftoverTimeOnly } from '@allsource/service-kit/processes';

takeLeftoverTimeOnly();
for (;;);
