-- Invented people who make a library of an old ferry. Days are counted from the
-- one on which the file is made.

INSERT INTO person (id, name, hue) VALUES
  ('ana', 'Ana', 25),
  ('ben', 'Ben', 250),
  ('chloe', 'Chloe', 150),
  ('dev', 'Dev', 310);

INSERT INTO board (id, name, rank, made_by) VALUES
  ('opening', 'Opening day', 'D', 'ana'),
  ('website', 'Website', 'V', 'chloe'),
  ('building', 'The building', 'm', 'ben'),
  ('budget', 'Budget', 't', 'ana');

-- Who is on the budget is a matter of two people.
INSERT INTO member (board_id, person_id, role) VALUES
  ('opening', 'ana', 'owner'), ('opening', 'ben', 'editor'), ('opening', 'chloe', 'editor'), ('opening', 'dev', 'viewer'),
  ('website', 'chloe', 'owner'), ('website', 'ana', 'editor'), ('website', 'ben', 'editor'), ('website', 'dev', 'viewer'),
  ('building', 'ben', 'owner'), ('building', 'ana', 'editor'), ('building', 'chloe', 'editor'), ('building', 'dev', 'viewer'),
  ('budget', 'ana', 'owner'), ('budget', 'ben', 'editor');

INSERT INTO task (id, board_id, title, state, rank, votes, labels, notes, due, assignee_id, created_at) VALUES
  ('o1', 'opening', 'Ask the brass band for two songs', 'todo', 'D', 4, '["music"]', ('They like to play outdoors.' || char(10) || 'Backup: the school choir.'), date('now', '+9 days'), 'ana',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-30 days')),
  ('o2', 'opening', 'Print the programme', 'todo', 'J', 1, '["print"]', 'A5, folded once. Names of the donors on the back.', date('now', '+12 days'), 'ben',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-29 days')),
  ('o3', 'opening', 'Find forty folding chairs', 'todo', 'P', 6, '["furniture"]', 'The rowing club lends twenty.', date('now', '+6 days'), NULL,
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-28 days')),
  ('o4', 'opening', 'Write the speech, three minutes at most', 'todo', 'V', 2, '["writing"]', '', NULL, 'chloe',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-27 days')),
  ('o5', 'opening', 'Invite the neighbours', 'doing', 'D', 3, '["people"]', ('Letters for Quay Street are done.' || char(10) || 'Harbour Row is next.'), date('now', '+3 days'), 'ben',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-26 days')),
  ('o6', 'opening', 'Plan the tour of the stacks', 'doing', 'J', 0, '["people","tour"]', 'Groups of eight. Start on the upper deck.', NULL, 'chloe',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-25 days')),
  ('o7', 'opening', 'Choose the day', 'done', 'D', 9, '[]', 'Saturday, because of the ferry.', NULL, 'ana',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-24 days')),
  ('o8', 'opening', 'Order the ribbon', 'done', 'J', 1, '["print"]', 'Blue.', NULL, 'ben',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-23 days')),
  ('w1', 'website', 'Opening hours in four languages', 'todo', 'D', 5, '["writing"]', 'English and Danish are written.', date('now', '+5 days'), 'chloe',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-22 days')),
  ('w2', 'website', 'Search that forgives typing errors', 'todo', 'J', 8, '["search"]', '“lighthose” should find the lighthouse.', NULL, NULL,
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-21 days')),
  ('w3', 'website', 'Photos of the reading room by night', 'todo', 'P', 2, '["design"]', '', date('now', '+15 days'), 'ana',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-20 days')),
  ('w4', 'website', 'Renew a loan without signing in', 'doing', 'D', 7, '["loans"]', 'A link in the reminder that works once.', date('now', '+2 days'), 'ben',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-19 days')),
  ('w5', 'website', 'Map of the moorings', 'doing', 'J', 1, '["design"]', 'Where the boat lies, day by day.', NULL, 'chloe',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-18 days')),
  ('w6', 'website', 'Pages that load on the ferry', 'done', 'D', 6, '["speed"]', 'There is no signal for ten minutes.', NULL, 'ben',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-17 days')),
  ('w7', 'website', 'Dark colours for the evening', 'done', 'J', 3, '["design"]', '', NULL, 'ana',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-16 days')),
  ('b1', 'building', 'Ramp for the upper deck', 'todo', 'D', 9, '["access"]', 'One in twelve at most, and a landing half way.', date('now', '+20 days'), 'ana',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-15 days')),
  ('b2', 'building', 'Lamps that do not dazzle the pilots', 'todo', 'J', 2, '["electrics"]', 'Ask the harbour master which colour.', NULL, NULL,
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-14 days')),
  ('b3', 'building', 'Quiet pump for the bilge', 'todo', 'P', 3, '[]', '', date('now', '-1 days'), 'ben',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-13 days')),
  ('b4', 'building', 'Shelves that hold in a swell', 'doing', 'D', 5, '["furniture"]', ('A lip of two centimetres.' || char(10) || 'Tested with the atlases.'), date('now', '+4 days'), 'chloe',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-12 days')),
  ('b5', 'building', 'Insulate the hull', 'done', 'D', 4, '[]', 'Cork, forward of the engine room.', NULL, 'ben',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-11 days')),
  ('b6', 'building', 'Name above the door', 'done', 'J', 7, '["design"]', 'The Slack Water Library.', NULL, 'ana',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-10 days')),
  ('p1', 'budget', 'Ask the harbour fund to pay for the ramp', 'todo', 'D', 3, '["income"]', ('A third of it, if we ask before the spring.' || char(10) || 'Two offers have to be in the letter.'), date('now', '+8 days'), 'ana',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-9 days')),
  ('p2', 'budget', 'What the band may cost', 'todo', 'J', 1, '["spending"]', 'Nobody has told them a number yet.', NULL, 'ben',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-8 days')),
  ('p3', 'budget', 'Insurance for one day with four hundred people', 'doing', 'D', 2, '["spending"]', '', date('now', '+5 days'), 'ana',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-7 days')),
  ('p4', 'budget', 'Sell the old engine', 'done', 'D', 6, '["income"]', 'To the museum of the lighthouse service.', NULL, 'ben',
    strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-6 days'));

INSERT INTO comment (id, task_id, author_id, body, created_at) VALUES
  ('c1', 'o1', 'ana', 'They said yes to one. I will ask again on Tuesday.', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-3 days')),
  ('c2', 'o1', 'ben', 'Two would be lovely, one is enough.', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-2 days')),
  ('c3', 'o5', 'chloe', 'I can take Harbour Row on my way home.', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 days')),
  ('c4', 'w2', 'ana', 'The readers ask for this more than for anything else.', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-6 days')),
  ('c5', 'w2', 'chloe', 'Titles first, authors later?', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-5 days')),
  ('c6', 'w4', 'ben', 'Works. Needs a second look at what happens when the link is used twice.', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 days')),
  ('c7', 'b1', 'dev', 'The regulation says one in twelve; I checked.', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-8 days')),
  ('c8', 'b4', 'ben', 'The lip holds at three degrees, not at five.', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-2 days')),
  ('c9', 'p2', 'ana', 'Between the two of us: half of what the chairs cost.', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 days'));
