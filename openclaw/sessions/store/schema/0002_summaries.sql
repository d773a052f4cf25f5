-- Summaries of the oldest part of a conversation that exceeds the model's context.  The
-- messages are kept.  Rows are added and never changed; of a session's summaries the one
-- with the highest number is used.
CREATE TABLE summaries (
    session       INTEGER NOT NULL REFERENCES sessions (id),
    number        INTEGER NOT NULL,  -- 1, 2, 3, ... without gaps
    message_count INTEGER NOT NULL,  -- messages summarised, from the first one on
    run_id        TEXT NOT NULL,     -- the run that added it
    created_at    REAL NOT NULL,
    text          TEXT NOT NULL,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
