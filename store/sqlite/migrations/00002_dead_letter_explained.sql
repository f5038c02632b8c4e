-- +goose Up

-- What explains a failure beside its reason, see attempt.Result.
ALTER TABLE dead_letters ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN fix TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN field TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN checks TEXT NOT NULL DEFAULT '';
