# A phone around Net::SIP that does what the lines of its input say (see stack.Phone).
use strict;
use warnings;
use Net::SIP;
use Net::SIP::Debug;

Net::SIP::Debug->level(1);
$| = 1;
my ($user, $password, $address, $server) = @ENV{qw(PHONE_USER PHONE_PASSWORD PHONE_ADDRESS PHONE_SERVER)};
my $agent = Net::SIP::Simple->new(
    leg            => "$address:5060",
    outgoing_proxy => "$server:5060",
    registrar      => "$server:5060",
    domain         => $server,
    from           => "sip:$user\@$server",
    contact        => "sip:$user\@$address:5060",
    ($password ? (auth => [$user, $password]) : ()),
);
my ($call, $waiting, $replied);

# It answers at once: a call that it accepts is a call that it takes.
$agent->listen(
    cb_create => sub { $call = $_[0]; return 1 },
    cb_established => sub { print "established\n" },
);

sub obey {
    my ($word, $other) = split ' ', shift;
    print "told $word\n";
    if ($word eq 'register') {
        my $done;
        my $expires = $agent->register(expires => 600);
        print defined $expires ? "registered\n" : "not registered: " . ($agent->error // '') . "\n";
    } elsif ($word eq 'call') {
        $call = $agent->invite("sip:$other\@$server");
        print "error: ", $agent->error, "\n" if !$call;
    } elsif ($word eq 'hangup') {
        my $ending = $call or return;
        undef $call;
        $ending->bye(cb_final => sub { print "ended\n" });
    }
}

my $rest = '';
$agent->{loop}->addFD(
    \*STDIN, 0,
    sub {
        my $got = sysread(STDIN, $rest, 4096, length $rest);
        exit 0 if !$got;
        while ($rest =~ s/^(.*)\n//) { obey($1) }
    },
);
$agent->loop;
