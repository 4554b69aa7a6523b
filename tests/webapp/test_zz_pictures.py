import random
from tests.factories import *
from attendance.database.models import Role, utc_now
from datetime import timedelta

def test_pictures(open_page, dashboard, assert_accessible):
    with dashboard.sessions() as db:
        depts=[make_department(db,n) for n in ("School of Computing","Mathematics","Institute of Physics and Astronomy")]
        boss=make_lecturer(db,name="Barbara Liskov",role=Role.ADMIN,email="boss@example.edu")
        head=make_lecturer(db,name="Emmy Noether",role=Role.DEPARTMENT,of=depts[1],email="head@example.edu")
        names=["Ada Lovelace","Alan Turing","Grace Hopper","Kurt Gödel","Sofia Kovalevskaya","Ὑπατία of Alexandria","محمد بن موسى الخوارزمي","Wolfeschlegelsteinhausenbergerdorff Maximilian-Alexander"]
        people=[make_lecturer(db,name=n,email=f"p{i}@example.edu") for i,n in enumerate(names)]
        people[1].last_sign_in_at=utc_now()-timedelta(days=3); boss.last_sign_in_at=utc_now()
        people[3].active=False
        courses=[]
        for i in range(40):
            c=make_course(db,f"C{i:03}",f"Course number {i}",lecturers=(people[i%6],),department=depts[i%3])
            courses.append(c)
            for s in range(3): enrol(db,c,make_student(db))
        for i in range(1,35,3):
            for k in range(1):
                make_session(db,courses[i],starts_at=utc_now()+timedelta(hours=2,days=i))
        from attendance.database.access.roles import give_role, Reach
        give_role(db,people[6].id,Role.ASSISTANT,Reach(course_id=courses[0].id))
        give_role(db,head.id,Role.LECTURER,Reach(course_id=courses[0].id))
        db.commit()
        ids=dict(boss=boss.id,ada=people[0].id,head=head.id)
    out="/tmp/p13/rights-pics/"
    import os; os.makedirs(out,exist_ok=True)
    for who,paths in ((boss,("/admin/accounts",f"/admin/accounts/{ids['head']}",f"/admin/accounts/{ids['ada']}","/admin/departments","/admin/departments/2","/admin/courses","/admin/courses/1","/admin/courses/1/edit","/admin/departments/2/delete","/admin/accounts/new","/admin")),(head,("/","/records"))):
        for size,w in ((390,844),(820,1180),(1440,900)):
            for scheme in ("light","dark"):
                if size==820 and scheme=="dark": continue
                page=open_page(who,"/",size={"width":size,"height":w},color_scheme=scheme)
                for p in paths:
                    page.goto(p)
                    assert_accessible(page)
                    page.screenshot(path=f"{out}{p.strip('/').replace('/','_') or 'home'}-{size}-{scheme}.png",full_page=True)
                page.context.close()
