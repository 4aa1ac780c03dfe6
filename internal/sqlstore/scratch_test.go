package sqlstore
import ("testing";"syscall";"sync/atomic";"context";"github.com/postern-auth/postern/internal/auth")
func cpu() int64 { var r syscall.Rusage; syscall.Getrusage(0,&r); return r.Utime.Nano()+r.Stime.Nano() }
func BenchmarkScratchIdentity(b *testing.B){
	const sessions = 100_000
	s := openBench(b); fill(b, s, sessions)
	n:=0
	for i:=0;i<100000;i++ { n=(n+7919)%sessions; mustFind(b,s,n) }
	b.ResetTimer()
	c:=cpu()
	for range b.N { n=(n+7919)%sessions; mustFind(b,s,n) }
	b.ReportMetric(float64(cpu()-c)/float64(b.N),"cpu-ns/op")
}
func BenchmarkScratchStart(b *testing.B){
	s := openBench(b); fill(b, s, 100000)
	var next atomic.Int64
	next.Store(10_000_000)
	b.ResetTimer()
	c:=cpu()
	inParallel(b, 64, func() error {
		i := next.Add(1)
		session := benchSession(int(i)); session.UserID = i%100000+1
		return s.Start(context.Background(), &auth.Start{Session: session, Login: &auth.LoginStamp{At: session.Created, Verified: benchPassword}})
	})
	b.ReportMetric(float64(cpu()-c)/float64(b.N),"cpu-ns/op")
}
