# No memory is lost in calls that succeed and in calls that die with an error of the function
# or of the decoder: perlmod 0.14.0 loses none.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use StandIn;

# Allocators keep some memory; a leak of one small value per call would be far above this.
my $allowed = 512 * 1024;
my $times = 100_000;

my %disk = (name => 'sda', size => 5, wwid => "\xfc" x 50, other => [1, 2]);
my $data = { a => [1] };
my @lines = (
    [nothing => sub { StandIn::Call::nothing() }],
    [two => sub { StandIn::Call::two(3, 1) }],
    [list => sub { my @list = StandIn::Call::list() }],
    [error => sub { eval { StandIn::Call::number_or_error(1) } }],
    [structured => sub { eval { StandIn::Call::structured_error(1) } }],
    [missing => sub { eval { &StandIn::Call::two(1) } }],
    [surplus => sub { eval { &StandIn::Call::two(1, 2, 3) } }],
    [type => sub { eval { StandIn::Call::two('a long string, which is quoted in the error', 1) } }],
    [string => sub { StandIn::In::take_string('x' x 100) }],
    [latin1 => sub { StandIn::In::take_str("\xfc" x 100) }],
    [bytes => sub { StandIn::In::take_bytes("\xfc" x 100) }],
    [number => sub { my $x = 'a'; $x = 5; StandIn::In::take_string($x) }],
    [match => sub { 'abc' =~ /(b)/; StandIn::In::take_str($1) }],
    [struct => sub { StandIn::In::take_struct(\%disk) }],
    [bad_struct => sub { eval { StandIn::In::take_struct({ %disk, size => 'x' }) } }],
    [map => sub { StandIn::In::take_map({ "\xfc" => 'x', b => [{}] }) }],
    [enum => sub { StandIn::In::take_tagged({ New => 1 }) }],
    [any => sub { StandIn::In::take_any([{ a => [1, 'x', undef, 1.5] }]) }],
    [give_struct => sub { StandIn::Out::give_struct() }],
    [give_maps => sub { StandIn::Out::give_maps() }],
    [give_many => sub { StandIn::Out::give_many(3) }],
    [refused => sub { eval { StandIn::Out::give_explosive(0) } }],
    [pass => sub { StandIn::Out::pass($data) }],
    [pass_raw => sub { StandIn::Out::pass_raw({ a => [1] }) }],
    [pass_pair => sub { my @pair = StandIn::Out::pass_raw_pair([1], {}) }],
    [pass_inside => sub { StandIn::Out::pass_inside({ text => 'x', value => { b => 1 } }) }],
    [encoded => sub { StandIn::Out::encoded() }],
    [try_from => sub { StandIn::In::take_try_from('loud') }],
);
for (@lines) {
    my ($name, $code) = @$_;
    cmp_ok(growth($times, $code), '<', $allowed, $name);
}

done_testing();
