package sqlstore
import ("testing";"time";"context";"github.com/postern-auth/postern/internal/auth";"path/filepath")
func TestScratchMillion(t *testing.T){
	s := openMigrated(t, filepath.Join(t.TempDir(),"x.db"))
	t0:=time.Now()
	lap:=func(n string){ t.Log(n, time.Since(t0)); t0=time.Now() }
	err := s.write.do(context.Background(), func(tx *tx) error {
		for i := range 1000000 { u := benchUser(i); u.IsSuperuser = i==10; if _, err := tx.createUser(&u); err != nil { return err }
		if i<300000 { se:=benchSession(i); if err:=tx.insertSession(&se); err!=nil {return err} } }
		return nil
	})
	if err!=nil{t.Fatal(err)}
	lap("fill")
	ctx:=context.Background()
	s.Users(ctx, auth.UserFilter{}); lap("list")
	s.Users(ctx, auth.UserFilter{Newest:true}); lap("newest")
	s.Users(ctx, auth.UserFilter{AfterID:900000}); lap("after")
	s.Users(ctx, auth.UserFilter{Search:"nobody at all"}); lap("search none")
	s.Users(ctx, auth.UserFilter{Search:"user99999"}); lap("search some")
	s.Users(ctx, auth.UserFilter{Superior:true}); lap("superior")
	f:=false
	s.Users(ctx, auth.UserFilter{Active:&f}); lap("inactive")
	s.Sessions(ctx, auth.SessionFilter{}); lap("sessions all")
	s.Sessions(ctx, auth.SessionFilter{UserID: 5}); lap("sessions user")
	s.Sessions(ctx, auth.SessionFilter{IDPrefix: "abcdef01"}); lap("sessions prefix")
	s.Sessions(ctx, auth.SessionFilter{IDPrefix: "abcdef01",UserID:5}); lap("sessions prefix user")
	t.Log(s.Sweep(ctx, time.UnixMicro(1_600_000_000_000_000), time.Time{}, 200)); lap("sweep nothing")
	t.Log(s.Sweep(ctx, time.UnixMicro(1_600_000_000_000_000), time.UnixMicro(1_600_000_000_000_000), 200)); lap("sweep nothing idle")
	t.Log(s.DeleteUser(ctx, 11)); lap("delete last super")
	t.Log(s.DeleteUser(ctx, 12)); lap("delete")
	t.Log(s.EndAll(ctx, 13)); lap("endall")
	for _, q := range []string{selectOrphans, selectSessions, selectSessionsOfUser, selectUsers, pruneSessions, selectIdentity} {
		for _, r := range mustQuery(t, outside(t, s.Path()), "explain query plan "+q, 1,2,3,4,5,6)  { t.Log(r[3]) }
		t.Log("--")
	}
}
