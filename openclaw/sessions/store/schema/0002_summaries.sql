-- What stands for the oldest part of a conversation, where the whole of it is more
-- than a model can read.  The messages stay.  Rows are added and never changed; of
-- a session's summaries the one with the highest number is in use.
CREATE TABLE summaries (
    session       INTEGER NOT NULL REFERENCES sessions (id),
    number        INTEGER NOT NULL,  -- 1, 2, 3, ... without gaps
    message_count INTEGER NOT NULL,  -- how many messages, from the first one on
    run_id        TEXT NOT NULL,     -- the run that added it
    created_at    REAL NOT NULL,
    text          TEXT NOT NULL,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
