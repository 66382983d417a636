/** How many answers are kept of one tab; a tab has fewer writes under way. */
export const SLOTS = 64;
