-- The news: whoever ends a session or changes a user, every node that listens
-- on the channel postern_news is told in the order of the commits, be the writer
-- Postern, an older version of it, a Django or psql. A payload is "s" and the id
-- of a session in hexadecimal, "u" and the id of a user, or "*" for anything.
-- A changed last_login alone is no news.
--
-- An engine without LISTEN and triggers gets none of this (see migrate.go).

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION postern_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'STATEMENT' THEN
        PERFORM pg_notify('postern_news', '*');
    ELSIF TG_TABLE_NAME = 'auth_user' THEN
        PERFORM pg_notify('postern_news', 'u' || OLD.id);
    ELSE
        PERFORM pg_notify('postern_news', 's' || encode(OLD.id, 'hex'));
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER postern_news_user_changed AFTER UPDATE ON auth_user FOR EACH ROW
    WHEN ((OLD.id, OLD.username, OLD.email, OLD.first_name, OLD.last_name, OLD.password, OLD.is_active, OLD.is_staff, OLD.is_superuser)
        IS DISTINCT FROM (NEW.id, NEW.username, NEW.email, NEW.first_name, NEW.last_name, NEW.password, NEW.is_active, NEW.is_staff, NEW.is_superuser))
    EXECUTE FUNCTION postern_tell();
CREATE TRIGGER postern_news_user_deleted AFTER DELETE ON auth_user FOR EACH ROW EXECUTE FUNCTION postern_tell();
CREATE TRIGGER postern_news_users_truncated AFTER TRUNCATE ON auth_user FOR EACH STATEMENT EXECUTE FUNCTION postern_tell();
CREATE TRIGGER postern_news_session_deleted AFTER DELETE ON postern_session FOR EACH ROW EXECUTE FUNCTION postern_tell();
CREATE TRIGGER postern_news_sessions_truncated AFTER TRUNCATE ON postern_session FOR EACH STATEMENT EXECUTE FUNCTION postern_tell();
