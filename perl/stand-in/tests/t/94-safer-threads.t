# The subs work in the threads of a perl that has threads. perlmod 0.14.0 does not promise it.

use v5.36;

use Config;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

BEGIN {
    plan(skip_all => 'perl has no threads') if !$Config{useithreads};
}

use threads;

use StandIn 'stand-in';

my @threads = map {
    my $n = $_;
    threads->create(sub {
        my $sum = 0;
        for (1 .. 1000) {
            $sum += StandIn::Call::two($_, 1);
            eval { StandIn::Call::number_or_error(1) };
            $sum++ if $@ eq "bad: code 7\n";
            $sum += StandIn::Out::give_many(2)->[1]{paths};
        }
        return $sum + $n;
    });
} 1 .. 4;
is_deeply([map { $_->join() } @threads], [map { 501_500 + $_ } 1 .. 4], 'four threads');
is(StandIn::Call::times_loaded(), 1, 'loaded once');

done_testing();
